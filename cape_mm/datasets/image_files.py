"""Image files: which are on disk (known before training starts), which are whole."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from mmengine.logging import print_log
from PIL import Image

from ..errors import MissingDataError

MAX_FOLDERS_SHOWN = 10
JPEG_START, JPEG_END = b'\xff\xd8\xff', b'\xff\xd9'
PNG_START, PNG_END = b'\x89PNG', b'IEND'
START_OF_SCAN = 0xDA
EXIF_ORIENTATION, FIRST_TURNED = 274, 5


def image_path(folder: str | os.PathLike, name: str) -> str:
    """Path of an image file.

    The disk may spell a name in another form of Unicode than the annotation file does
    (macOS takes letters and their accents apart), and Windows separates folders by
    back-slashes: then it is the disk's.

    Args:
        folder: the image folder.
        name: relative to it.
    """
    path = os.path.join(folder, name)
    if (name.isascii() and '\\' not in name) or os.path.lexists(path):
        return path
    place = os.fspath(folder)
    for part in name.replace('\\', '/').split('/'):
        forms = (part, *(unicodedata.normalize(form, part) for form in ('NFC', 'NFD')))
        spelled = [os.path.join(place, form) for form in forms]
        place = next(filter(os.path.lexists, spelled), spelled[0])
    return place if os.path.lexists(place) else path


def image_size(path: str) -> tuple[int, int] | None:
    """(w, h) of a picture as it is shown, from its header; None where that fails."""
    try:
        with Image.open(path) as img:
            is_turned = img.getexif().get(EXIF_ORIENTATION, 1) >= FIRST_TURNED
            return img.size[::-1] if is_turned else img.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def look_for_images(
    file_names: Iterable[str], folder: str, expected: str, source: str
) -> set[str]:
    """The distinct files that do not exist; one warning counts them by folder.

    Args:
        file_names: image files relative to ``folder``.
        folder: the image folder.
        expected: where it should be, for messages.
        source: annotation file, for messages.

    Raises:
        MissingDataError: all of them are missing: a wrong path, not a gap.
    """
    wanted = list(dict.fromkeys(file_names))
    missing = [name for name in wanted if not os.path.isfile(image_path(folder, name))]
    if missing and len(missing) == len(wanted):
        raise MissingDataError(
            f'none of the {len(wanted):,} image files of {source} is in {expected}: '
            f'the first one expected is {os.path.join(expected, missing[0])}. Put the '
            f'images there, or set data_root and data_prefix in the config.'
        )
    if missing:
        message = _describe_missing(missing, wanted, folder)
        print_log(f'{source}: {message}', 'current', logging.WARNING)
    return set(missing)


def count_by_folder(file_names: Iterable[str]) -> Counter[str]:
    """Number of distinct files by the first folder of their path ('.' where none)."""
    paths = (PurePosixPath(name.replace('\\', '/')) for name in set(file_names))
    return Counter(path.parts[0] if len(path.parts) > 1 else '.' for path in paths)


def _describe_missing(missing: list[str], wanted: list[str], folder: str) -> str:
    """One line with the worst ten folders by name."""
    totals, gone = count_by_folder(wanted), count_by_folder(missing)
    worst = sorted(gone, key=lambda name: (-gone[name], name))
    shown = ', '.join(
        f'{name} {gone[name]:,} of {totals[name]:,}'
        for name in worst[:MAX_FOLDERS_SHOWN]
    )
    if len(worst) > MAX_FOLDERS_SHOWN:
        shown += f', and {len(worst) - MAX_FOLDERS_SHOWN} more folders'
    return (
        f'images: {len(missing):,} of {len(wanted):,} files missing: {shown}; the '
        f'first one is {os.path.join(folder, missing[0])}'
    )


def is_cut_off(content: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end: OpenCV 4 fills with grey, 5 refuses.

    Anything may follow the end: phones append a short video.

    Args:
        content: the whole file.

    Returns:
        False for other formats.
    """
    if content.startswith(JPEG_START):
        return content.find(JPEG_END, _first_scan(content)) < 0
    return content.startswith(PNG_START) and PNG_END not in content


def _first_scan(content: bytes) -> int:
    """Where a JPEG's pixels begin, behind its preview, which has an end of its own.

    0 where the segments before them can't be followed.
    """
    place = 2
    while content[place : place + 1] == b'\xff' and place + 4 <= len(content):
        if content[place + 1] == START_OF_SCAN:
            return place
        is_fill = content[place + 1] == 0xFF
        length = int.from_bytes(content[place + 2 : place + 4], 'big')
        place += 1 if is_fill else 2 + length
    return 0
