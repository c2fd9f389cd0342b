"""From what a user hands over to pictures and video frames."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import ConfigError, ImageDecodeError, InstanceLoadError, MissingDataError
from .pictures import Picture, from_array, from_pillow, read_picture
from .results import SkippedInput
from .video import SUFFIXES as VIDEO_SUFFIXES
from .video import VideoReader

PICTURE_SUFFIXES = frozenset(
    ('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.dib', '.tif', '.tiff')
    + ('.webp', '.gif', '.ppm', '.pgm', '.pbm', '.jp2', '.avif')
)
READABLE_SUFFIXES = PICTURE_SUFFIXES | VIDEO_SUFFIXES

UNREADABLE_SUFFIXES = frozenset(
    ('.heic', '.heif', '.svg', '.dng', '.cr2', '.cr3', '.nef', '.arw', '.orf', '.rw2')
    + ('.raw', '.psd', '.exr', '.hdr', '.jxl', '.pdf', '.nd2', '.czi', '.lif')
)
"""Pictures that a folder may hold and that nobody here decodes: skipped, not missed."""

OneInput = str | Path | np.ndarray | Image.Image


@dataclass(frozen=True)
class Source:
    """One picture or one video.

    Attributes:
        name: for people and files: the path as given, or ``'image 3'``.
        content: path, array or Pillow image.
    """

    name: str
    content: OneInput

    @property
    def is_video(self) -> bool:
        """A file whose name ends like that of a video."""
        return is_path(self.content) and suffix_of(self.content) in VIDEO_SUFFIXES


@dataclass(frozen=True)
class Frame:
    """A decoded picture or video frame.

    Attributes:
        source: name of its source.
        number: frame number in a video, None for a picture.
        image: BGR, uint8 (H, W, 3).
        notes: see :class:`~.results.InferenceResult`.
    """

    source: str
    number: int | None
    image: np.ndarray
    notes: tuple[str, ...] = ()


Inputs = OneInput | Source | Sequence[OneInput | Source]


def is_path(content: object) -> bool:
    """Whether an input names a file rather than holding pixels."""
    return isinstance(content, (str, os.PathLike))


def suffix_of(path: str | Path) -> str:
    """Lower-case suffix of a file's name."""
    return Path(path).suffix.lower()


def printable(path: str) -> str:
    """A path as text that can be printed and written, whatever bytes it has."""
    return path.encode('utf-8', 'backslashreplace').decode('utf-8')


def find_sources(inputs: Inputs, exclude: str | Path | None = None) -> list[Source]:
    """Pictures and videos of an input, in a fixed order.

    Args:
        inputs: a file, a folder (searched with its subfolders and links, every place
            once, in the order of their names), a pattern with ``*``, ``?`` or ``[]``,
            an array, a Pillow image, a source, or a list of these.
        exclude: a folder whose files are left out.

    Raises:
        MissingDataError: a path does not exist, a folder holds no picture and no video,
            or no file fits a pattern.
        ConfigError: an input is of another type, or there is none.
    """
    given = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    if not given:
        raise ConfigError('the list of inputs is empty')
    found: list[Source] = []
    for place, content in enumerate(given):
        if isinstance(content, Source):
            found.append(content)
        elif isinstance(content, (np.ndarray, Image.Image)):
            found.append(Source(f'image {place}', content))
        elif is_path(content):
            paths = _find_files(os.fspath(content), exclude)
            found += [Source(printable(path), path) for path in paths]
        else:
            raise ConfigError(
                f'image {place}: expected a path, a numpy array or a Pillow image, got '
                f'{type(content).__name__}'
            )
    return found


def _find_files(text: str, exclude: str | Path | None) -> list[str]:
    if os.path.isdir(text):
        return _in_folder(text, exclude)
    if os.path.exists(text):
        return [text]
    if not glob.has_magic(text):
        raise MissingDataError(f'no such file or folder: {text}')
    found = sorted(filter(os.path.isfile, glob.glob(text, recursive=True)))
    if not found:
        raise MissingDataError(f'no file fits the pattern {text}')
    return found


def _in_folder(folder: str, exclude: str | Path | None) -> list[str]:
    seen = set() if exclude is None else {os.path.realpath(exclude)}
    paths: list[str] = []

    def note_closed(error: OSError) -> None:
        if error.filename == folder:
            raise MissingDataError(f'{folder} can not be read: {error.strerror}')
        paths.append(error.filename)  # reading it will tell

    for root, folders, files in os.walk(folder, onerror=note_closed, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:  # left out, or a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        paths += [os.path.join(root, name) for name in files if _is_known(name)]
    if not any(suffix_of(path) in READABLE_SUFFIXES for path in paths):
        raise MissingDataError(
            f'{folder} holds no picture and no video: no file whose name ends with one '
            f'of {", ".join(sorted(READABLE_SUFFIXES))}'
        )
    return sorted(paths)


def _is_known(name: str) -> bool:
    known = READABLE_SUFFIXES | UNREADABLE_SUFFIXES
    return not name.startswith('.') and suffix_of(name) in known


def read_frames(
    source: Source, every: int = 1, skipped: list[SkippedInput] | None = None
) -> Iterator[Frame]:
    """The picture, or every n-th frame of the video.

    Args:
        source: what to read.
        every: n, for videos.
        skipped: receives why it can't be read, also a video that is cut off; None
            raises, but takes a video for as long as it lasts.

    Raises:
        InstanceLoadError: it can't be read or decoded, and ``skipped`` is None.
    """
    last = None
    try:
        if not source.is_video:
            picture = read_content(source.content)
            yield Frame(source.name, None, *picture)
            return
        with VideoReader(source.content) as reader:
            for number, image in reader.frames(every):
                yield Frame(source.name, number, image)
            last, reason = reader.num_read, reader.how_cut_off()
        if reason is not None and skipped is not None:
            raise ImageDecodeError(reason)
    except InstanceLoadError as error:
        if skipped is None:
            raise type(error)(f'{source.name}: {error}') from error
        skipped.append(SkippedInput(source.name, last, str(error)))


def spread_frames(
    sources: Sequence[Source], num: int, skipped: list[SkippedInput]
) -> Iterator[tuple[int, Frame]]:
    """About ``num`` pictures and frames, spread evenly over all inputs.

    Args:
        sources: what to read.
        num: of frames; a few more where videos are among many inputs.
        skipped: see :func:`read_frames`.

    Yields:
        The place of the source among all, and a frame.
    """
    places = np.linspace(0, len(sources) - 1, min(num, len(sources))).astype(int)
    each = -(-num // len(places))
    for place in places.tolist():
        source = sources[place]
        every = 1
        if source.is_video:
            try:
                with VideoReader(source.content) as reader:
                    every = max(1, reader.num_told // each)
            except InstanceLoadError:
                pass  # reading it will tell
        for frame in islice(read_frames(source, every, skipped), each):
            yield place, frame


def read_content(content: OneInput) -> Picture:
    """A picture that is given in any form; messages do not name it.

    Raises:
        InstanceLoadError: it can't be read or decoded.
    """
    if is_path(content):
        return read_picture(content)
    if isinstance(content, Image.Image):
        return Picture(from_pillow(content))
    return Picture(from_array(content))
