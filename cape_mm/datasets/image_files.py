"""Image files: which are on disk (known before training starts), which are whole."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from ..errors import MissingDataError

MAX_FOLDERS_SHOWN = 10
JPEG_START, JPEG_END = b'\xff\xd8\xff', b'\xff\xd9'
PNG_START, PNG_END = b'\x89PNG', b'IEND'
START_OF_SCAN = 0xDA


def find_missing_files(file_names: Iterable[str], folder: str) -> list[str]:
    """The distinct files that do not exist, in the order given.

    Args:
        file_names: image files relative to ``folder``.
        folder: the image folder.
    """
    return [
        name
        for name in dict.fromkeys(file_names)
        if not os.path.isfile(os.path.join(folder, name))
    ]


def count_by_folder(file_names: Iterable[str]) -> Counter[str]:
    """Number of distinct files by the first folder of their path ('.' where none)."""
    paths = (PurePosixPath(name.replace('\\', '/')) for name in set(file_names))
    return Counter(path.parts[0] if len(path.parts) > 1 else '.' for path in paths)


def describe_missing_files(
    missing: Sequence[str], file_names: Iterable[str], folder: str
) -> str:
    """One line that counts the missing files, the worst ten folders by name.

    Args:
        missing: what :func:`find_missing_files` returned, at least one.
        file_names: all files that were looked for.
        folder: the image folder.
    """
    totals, gone = count_by_folder(file_names), count_by_folder(missing)
    worst = sorted(gone, key=lambda name: (-gone[name], name))
    shown = ', '.join(
        f'{name} {gone[name]:,} of {totals[name]:,}'
        for name in worst[:MAX_FOLDERS_SHOWN]
    )
    if len(worst) > MAX_FOLDERS_SHOWN:
        shown += f', and {len(worst) - MAX_FOLDERS_SHOWN} more folders'
    return (
        f'images: {len(missing):,} of {totals.total():,} files missing: {shown}; '
        f'the first one is {os.path.join(folder, missing[0])}'
    )


def refuse_if_all_missing(
    missing: Sequence[str], file_names: Iterable[str], folder: str, source: str
) -> None:
    """Stop where not a single image file exists: a wrong path, not a gap.

    Args:
        missing: what :func:`find_missing_files` returned.
        file_names: all files that were looked for.
        folder: the image folder where they are expected.
        source: annotation file, for the message.

    Raises:
        MissingDataError: there are files to look for, and all of them are missing.
    """
    num_files = len(set(file_names))
    if not missing or len(missing) < num_files:
        return
    raise MissingDataError(
        f'none of the {num_files:,} image files of {source} is in {folder}: the first '
        f'one expected is {os.path.join(folder, missing[0])}. Put the images there, or '
        f'set data_root and data_prefix in the config.'
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
