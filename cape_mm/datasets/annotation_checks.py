"""Entries of a COCO-keypoint file that no reader could make sense of.

An empty value (missing, null, an empty list) is no defect here: empties are dropped and
counted by :mod:`~cape_mm.datasets.instance_filters`, and so are NaN and null among
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

MAX_ID = 2**63 - 1
"""Ids travel as int64 tensors."""

NUMBER_TYPES = {int, float}  # JSON has no others; bool is none

REQUIRED_KEYS = dict(
    images=('id', 'file_name', 'width', 'height'),
    annotations=('id', 'image_id', 'category_id'),
    categories=('id',),
)
"""What every entry has, by list of the file."""
ID_KEYS = ('id', 'image_id', 'category_id')


def find_defects(
    kind: str, entries: Sequence, any_image: bool = False
) -> Iterator[tuple[int, str]]:
    """Look at every entry of one list of an annotation file.

    Args:
        kind: the list's name, a key of :data:`REQUIRED_KEYS`.
        entries: the list.
        any_image: see :func:`~.annotation_file.read_annotation_file`.

    Yields:
        Place and first defect of each entry that has one, the latter as a clause that
        names the entry.
    """
    seen: set[int] = set()
    for place, entry in enumerate(entries):
        defect = _entry_defect(kind, entry, any_image)
        if defect is None and kind == 'images' and entry['id'] in seen:
            defect = (
                f'image {entry["id"]} is listed twice; image ids must be unique, or '
                f'annotations belong to the wrong file'
            )
        if defect is not None:
            yield place, defect
        else:
            seen.add(entry['id'])


def _entry_defect(kind: str, entry: object, any_image: bool) -> str | None:
    if not isinstance(entry, dict):
        return (
            f'every entry of "{kind}" is an object, but one is of type '
            f'{type(entry).__name__}: {shorten(entry)}'
        )
    noun = 'category' if kind == 'categories' else kind[:-1]
    name = f'{noun} {shorten(entry["id"]) if "id" in entry else "without id"}'
    optional = ('width', 'height') if any_image else ()
    required = [key for key in REQUIRED_KEYS[kind] if key not in optional]
    absent = [key for key in required if key not in entry]
    if absent:
        size = ', the size of the picture in pixels' if 'width' in absent else ''
        return f'{name} has no {", ".join(absent)}{size}'
    for key in required:
        if key in ID_KEYS and not is_id(entry[key]):
            expected = 'a non-negative integer below 2**63'
            return not_as_expected(name, key, expected, entry[key])
    if kind == 'images':
        return _image_defect(name, entry, any_image)
    return _annotation_defect(name, entry) if kind == 'annotations' else None


def _image_defect(name: str, image: dict, any_image: bool) -> str | None:
    for key in () if any_image else ('width', 'height'):
        if not (_is_number(image[key]) and image[key] > 0):
            expected = 'a number of pixels above 0'
            return not_as_expected(name, key, expected, image[key])
    file_name = image['file_name']
    if not isinstance(file_name, str) or not file_name or '\0' in file_name:
        return not_as_expected(name, 'file_name', 'the name of a file', file_name)
    path = PurePosixPath(file_name.replace('\\', '/'))
    if not any_image and (path.is_absolute() or '..' in path.parts):
        return (
            f'{name} points outside the data root: {file_name!r}. File names are '
            f'relative to the image folder.'
        )
    return None


def _annotation_defect(name: str, ann: dict) -> str | None:
    for key in ('bbox', 'keypoints'):
        if ann.get(key) and not _is_number_list(ann[key]):
            return not_as_expected(name, key, 'a flat list of numbers', ann[key])
    area = ann.get('area')
    if area is not None and not _is_number(area):
        return not_as_expected(name, 'area', 'a number', area)
    return None


def is_id(value: object) -> bool:
    """Whether a value of a JSON file can be an id."""
    return type(value) is int and 0 <= value <= MAX_ID


def not_as_expected(where: object, key: str, expected: str, value: object) -> str:
    """Clause about a value of a JSON file."""
    return f'{where}: "{key}" should be {expected}, but is {shorten(value)}'


def shorten(value: object) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def _is_number(value: object) -> bool:
    return type(value) in NUMBER_TYPES and _are_floats(value)


def _is_number_list(value: object) -> bool:
    types = NUMBER_TYPES | {type(None)}
    return (
        isinstance(value, list)
        and set(map(type, value)) <= types
        and _are_floats(value)
    )


def _are_floats(value: float | list[float | None]) -> bool:
    """Whether numbers can be computed with: an integer of JSON may be of any size."""
    try:
        np.asarray(value, dtype=np.float64)
    except OverflowError:
        return False
    return True
