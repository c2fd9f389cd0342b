"""From what a user hands over to a list of pictures and videos."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import ConfigError, MissingDataError
from .pictures import from_array, from_pillow, read_picture
from .video import SUFFIXES as VIDEO_SUFFIXES
from .video import VideoReader

PICTURE_SUFFIXES = frozenset(
    ('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.dib', '.tif', '.tiff')
    + ('.webp', '.gif', '.ppm', '.pgm', '.pbm', '.jp2', '.avif')
)

UNREADABLE_SUFFIXES = frozenset(
    ('.heic', '.heif', '.svg', '.dng', '.cr2', '.cr3', '.nef', '.arw', '.orf', '.rw2')
    + ('.raw', '.psd', '.exr', '.hdr', '.jxl', '.pdf', '.nd2', '.czi', '.lif')
)
"""Pictures that a folder may hold and that nobody here decodes: skipped, not missed."""

OneInput = str | Path | np.ndarray | Image.Image
Inputs = OneInput | Sequence[OneInput]


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


def is_path(content: object) -> bool:
    """Whether an input names a file rather than holding pixels."""
    return isinstance(content, (str, os.PathLike))


def suffix_of(path: str | Path) -> str:
    """Lower-case suffix of a file's name."""
    return Path(path).suffix.lower()


def find_sources(inputs: Inputs, exclude: str | Path | None = None) -> list[Source]:
    """Pictures and videos of an input, in a fixed order.

    Args:
        inputs: a file, a folder (searched with its subfolders and links, every place
            once, in the order of their names), a pattern with ``*``, ``?`` or ``[]``,
            an array, a Pillow image, or a list of these.
        exclude: a folder whose files are left out.

    Raises:
        MissingDataError: a path does not exist, a folder holds no picture and no video,
            or no file fits a pattern.
        ConfigError: an input is of another type, or there is none.
    """
    if isinstance(inputs, (list, tuple)):
        if not inputs:
            raise ConfigError('the list of inputs is empty')
        return [
            source
            for place, content in enumerate(inputs)
            for source in _find(content, f'image {place}', exclude)
        ]
    return list(_find(inputs, 'image 0', exclude))


def _find(
    content: object, name: str, exclude: str | Path | None
) -> Iterator[Source] | list[Source]:
    if isinstance(content, (np.ndarray, Image.Image)):
        return [Source(name, content)]
    if not is_path(content):
        raise ConfigError(
            f'{name}: expected a path, a numpy array or a Pillow image, got '
            f'{type(content).__name__}'
        )
    text = os.fspath(content)
    if os.path.isdir(text):
        return _in_folder(text, exclude)
    if os.path.exists(text) or not glob.has_magic(text):
        if not os.path.exists(text):
            raise MissingDataError(f'no such file or folder: {text}')
        return [Source(printable(text), text)]
    found = sorted(path for path in glob.glob(text, recursive=True) if _is_file(path))
    if not found:
        raise MissingDataError(f'no file fits the pattern {text}')
    return [Source(printable(path), path) for path in found]


def _in_folder(folder: str, exclude: str | Path | None) -> list[Source]:
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
    if not any(_is_readable(path) for path in paths):
        known = ', '.join(sorted(PICTURE_SUFFIXES | VIDEO_SUFFIXES))
        raise MissingDataError(
            f'{folder} holds no picture and no video: no file whose name ends with one '
            f'of {known}'
        )
    return [Source(printable(path), path) for path in sorted(paths)]


def _is_known(name: str) -> bool:
    is_unreadable = suffix_of(name) in UNREADABLE_SUFFIXES
    return not name.startswith('.') and (is_unreadable or _is_readable(name))


def _is_readable(name: str) -> bool:
    return suffix_of(name) in PICTURE_SUFFIXES | VIDEO_SUFFIXES


def _is_file(path: str) -> bool:
    return os.path.isfile(path)


def printable(path: str) -> str:
    """A path as text that can be printed and written, whatever bytes it has."""
    return path.encode('utf-8', 'backslashreplace').decode('utf-8')


def read_frames(
    source: Source, every: int = 1, wanted: Callable[[int | None], bool] | None = None
) -> Iterator[Frame]:
    """The picture, or every n-th frame of the video.

    Args:
        source: what to read.
        every: n, for videos.
        wanted: called with a frame's number (None for a picture); False leaves it out.

    Raises:
        InstanceLoadError: it can't be read or decoded; the message has no name in it.
    """
    if source.is_video:
        with VideoReader(source.content) as reader:
            for number, image in reader.frames(every, wanted):
                yield Frame(source.name, number, image)
    elif wanted is None or wanted(None):
        yield _read_one(source)


def _read_one(source: Source) -> Frame:
    content = source.content
    if is_path(content):
        picture = read_picture(content)
        return Frame(source.name, None, picture.image, picture.notes)
    if isinstance(content, Image.Image):
        return Frame(source.name, None, from_pillow(content))
    return Frame(source.name, None, from_array(content))
