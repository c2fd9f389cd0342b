"""Image files: which are there, which decode, and to what the others belong."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

from pycocotools.coco import COCO
from rich.console import Console
from rich.progress import track

from ...datasets.categories import Category
from ...datasets.image_files import count_by_folder, image_path, is_cut_off
from ...datasets.transforms import LoadInstanceImage
from ...errors import ImageDecodeError, InstanceLoadError
from ...utils.processes import map_over_processes, num_available_cores
from ..mp100_sources import UNKNOWN_SOURCE, source_of_image
from .findings import GAP, Finding, found

CHUNK = 8
"""Images that a decoding process takes at a time."""

CategoryKey = tuple[int, str]
"""Id and name: files of different data sets may use an id twice."""


@dataclass
class ImageFile:
    """An image file that an annotation file asks for.

    Attributes:
        path: where it is expected.
        source: data set that it comes from; beyond MP-100 its top folder.
        categories: ids and names of the categories that need it.
        sizes: (w, h) that the annotation files state.
        problem: why it is not there, None if it is.
        decode_problem: why it can not be decoded; None if it can, or nobody tried.
        size_on_disk: (w, h) of the decoded image, if it was decoded.
    """

    path: str
    source: str
    categories: set[CategoryKey] = field(default_factory=set)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    problem: str | None = None
    decode_problem: str | None = None
    size_on_disk: tuple[int, int] | None = None

    @property
    def is_available(self) -> bool:
        """Whether the image can be used, as far as known."""
        return self.problem is None and self.decode_problem is None


def find_file_problem(path: str) -> str | None:
    """Why a path is not a file to read; None if it is one.

    Args:
        path: expected image file.

    Returns:
        'missing', 'broken link', 'link that leads in a circle', 'is a directory',
        'no regular file', 'empty file', 'no permission to read', or what the system
        says.
    """
    try:
        info = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return 'broken link' if os.path.islink(path) else 'missing'
    except OSError as error:
        if error.errno == errno.ELOOP:
            return 'link that leads in a circle'
        return error.strerror or type(error).__name__
    if stat.S_ISDIR(info.st_mode):
        return 'is a directory'
    if not stat.S_ISREG(info.st_mode):
        return 'no regular file'
    if info.st_size == 0:
        return 'empty file'
    return None if os.access(path, os.R_OK) else 'no permission to read'


def collect_images(
    coco: COCO,
    categories: dict[int, Category],
    folder: str,
    images: dict[str, ImageFile],
) -> dict[int, ImageFile]:
    """Look for the image files of one annotation file.

    Args:
        coco: an indexed annotation file.
        categories: its categories by id.
        folder: the image folder.
        images: files looked for before, by path; the new ones are added.

    Returns:
        The files of this annotation file by image id.
    """
    by_id = {}
    for image_id, record in coco.imgs.items():
        used_by = {ann['category_id'] for ann in coco.imgToAnns.get(image_id, ())}
        used_by &= set(categories)
        path = image_path(folder, record['file_name'])
        if path not in images:
            source = _source_of(record['file_name'], used_by)
            images[path] = ImageFile(path, source, problem=find_file_problem(path))
        image = images[path]
        image.categories |= {(key, categories[key].name) for key in used_by}
        image.sizes.add((record['width'], record['height']))
        by_id[image_id] = image
    return by_id


def _source_of(file_name: str, category_ids: Iterable[int]) -> str:
    names = {source_of_image(file_name, key) for key in category_ids or (None,)}
    names -= {UNKNOWN_SOURCE}
    if names:
        return min(names)
    return next(iter(count_by_folder([file_name])))


def image_findings(images: Iterable[ImageFile]) -> list[Finding]:
    """What is wrong with image files, every path of every kind."""
    paths: dict[str, list[str]] = defaultdict(list)
    for image in images:
        if image.problem is not None:
            paths[f'image: {image.problem}'].append(image.path)
        elif image.decode_problem is not None:
            paths[f'image {image.decode_problem}'].append(image.path)
        elif image.size_on_disk and image.sizes != {image.size_on_disk}:
            text = f'{image.path} ({_compare_sizes(image)})'
            paths['image size differs from the JSON'].append(text)
    return [f for kind in paths for f in found(kind, GAP, 'files', paths[kind])]


def shared_file_findings(images: dict[int, ImageFile]) -> list[Finding]:
    """Files that an annotation file lists under several image ids.

    Args:
        images: by image id.
    """
    ids: dict[str, list[int]] = defaultdict(list)
    for image_id, image in images.items():
        ids[os.path.realpath(image.path)].append(image_id)
    texts = [
        f'{path} (images {", ".join(map(str, own))})'
        for path, own in ids.items()
        if len(own) > 1
    ]
    return found('the same file under several image ids', GAP, 'files', texts)


def _compare_sizes(image: ImageFile) -> str:
    width, height = image.size_on_disk
    stated = ', '.join(f'{w}x{h}' for w, h in sorted(image.sizes))
    text = f'{width}x{height} on disk, {stated} in the JSON'
    if (height, width) in image.sizes and width != height:
        text += '; turned, perhaps by its EXIF orientation'
    return text


def count_images(images: Iterable[ImageFile]) -> list[dict[str, Any]]:
    """Distinct files and missing ones by source.

    Returns:
        A row per source, most missing files first: ``source``, ``num_files`` and
        ``num_missing``.
    """
    images = list(images)
    totals = Counter(image.source for image in images)
    missing = Counter(im.source for im in images if im.problem is not None)
    return [
        dict(source=source, num_files=num_files, num_missing=missing[source])
        for source, num_files in sorted(
            totals.items(), key=lambda item: (-missing[item[0]], item[0])
        )
    ]


def decode_images(images: Sequence[ImageFile], num_workers: int | None = None) -> None:
    """Decode image files and note in each what came out.

    Args:
        images: files that exist; ``decode_problem`` and ``size_on_disk`` are set.
        num_workers: processes; None for one per available core.

    Raises:
        ImageDecodeError: a worker process died, as a broken image can make it do.
    """
    num_workers = min(num_workers or num_available_cores(), max(1, len(images)))
    paths = [image.path for image in images]
    results = map_over_processes(decode_image, paths, num_workers, CHUNK)
    bar = track(
        zip(images, results),
        f'decoding {len(images):,} images',
        total=len(images),
        console=Console(stderr=True),
    )
    num_done = 0
    try:
        for image, result in bar:
            image.decode_problem, image.size_on_disk = result
            num_done += 1
    except BrokenProcessPool as error:
        suspects = paths[num_done : num_done + CHUNK * (num_workers + 1)]
        raise ImageDecodeError(
            f'a worker process died while decoding, probably on one of these images: '
            f'{", ".join(suspects)}. Look at them one by one, or give the machine more '
            f'memory.'
        ) from error


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
