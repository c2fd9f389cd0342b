"""Decoding every image once, as training would, over several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from mmengine.utils import ProgressBar

from ...datasets.image_files import is_cut_off
from ...datasets.transforms import LoadInstanceImage
from ...errors import ImageDecodeError, InstanceLoadError
from ...utils.devices import one_opencv_thread
from .images import ImageFile

CHUNK = 8
"""Images that a worker takes at a time."""


def decode_images(images: Sequence[ImageFile], num_workers: int | None = None) -> None:
    """Decode image files and note in each what came out.

    Args:
        images: files that exist; ``decode_problem`` and ``size_on_disk`` are set.
        num_workers: processes; None for one per available core.

    Raises:
        ImageDecodeError: a worker process died, as a broken image can make it do.
    """
    if not images:
        return
    num_workers = min(num_workers or num_available_cores(), len(images))
    print(f'Decoding {len(images):,} images:', file=sys.stderr, flush=True)
    bar = ProgressBar(len(images), file=sys.stderr)
    # in a log file every step is a line of its own
    step = max(1, len(images) // (100 if sys.stderr.isatty() else 5))
    results = _map([image.path for image in images], num_workers)
    for place, (image, result) in enumerate(zip(images, results), start=1):
        image.decode_problem, image.size_on_disk = result
        if place % step == 0 or place == len(images):
            bar.update(place - bar.completed)
    print(file=sys.stderr, flush=True)


def num_available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def decode_image(path: str) -> tuple[str | None, tuple[int, int] | None]:
    """Decode one image.

    Args:
        path: the file.

    Returns:
        What is wrong (None if nothing), and the size (w, h) as decoded (None if it was
        not). The size is that after a turn which EXIF asks for: what training sees.
    """
    try:
        with open(path, 'rb') as file:
            content = file.read()
        if is_cut_off(content):
            return 'is cut off: its end is missing', None
        results = LoadInstanceImage().transform(dict(img_path=path))
    except InstanceLoadError:
        return 'does not decode', None
    except OSError as error:
        return f'can not be read: {error.strerror}', None
    height, width = results['img_shape']
    return None, (width, height)


def _map(paths: Sequence[str], num_workers: int) -> Iterator:
    """:func:`decode_image` of every path in order, over processes if it is worth it."""
    if num_workers == 1:
        yield from map(decode_image, paths)
        return
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else None
    num_done = 0
    with one_opencv_thread():  # OpenCV's threads do not survive a fork
        pool = ProcessPoolExecutor(
            num_workers,
            mp_context=multiprocessing.get_context(method),
            initializer=signal.signal,  # Ctrl-C is the parent's business
            initargs=(signal.SIGINT, signal.SIG_IGN),
        )
        try:
            for result in pool.map(decode_image, paths, chunksize=CHUNK):
                yield result
                num_done += 1
        except BrokenProcessPool as error:
            suspects = paths[num_done : num_done + CHUNK * (num_workers + 1)]
            raise ImageDecodeError(
                f'a worker process died while decoding, probably on one of these '
                f'images: {", ".join(suspects)}. Look at them one by one, or give the '
                f'machine more memory.'
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
