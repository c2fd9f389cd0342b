"""Values of a COCO-keypoint file that no reader could make sense of.

An empty value (missing, null, an empty list) is no error here: empties are dropped and
counted by :mod:`~cape_mm.datasets.instance_filters`, and so are NaN and null among
numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from ..errors import AnnotationFormatError

MAX_ID = 2**63 - 1
"""Ids travel as int64 tensors."""

NUMBER_TYPES = {int, float}  # JSON has no others; bool is none


def check_images(images: Iterable[dict], source: str) -> None:
    """Check the ``images`` list of an annotation file.

    Args:
        images: entries of the file.
        source: file name for messages.

    Raises:
        AnnotationFormatError: a key is missing, an id is used twice or is no
            non-negative integer, a size is no number or beyond all floats, or a file
            name is no text or points outside the data root.
    """
    seen: set[int] = set()
    for image in images:
        _check_keys(image, 'image', ('id', 'file_name', 'width', 'height'), source)
        _check_ids(image, 'image', ('id',), source)
        where = f'{source}: image {image["id"]}'
        if image['id'] in seen:
            raise AnnotationFormatError(
                f'{where} is listed twice; image ids must be unique, or annotations '
                f'belong to the wrong file'
            )
        seen.add(image['id'])
        for key in ('width', 'height'):
            if not _is_number(image[key]):
                raise _not_a(where, key, 'a number of pixels', image[key])
        _check_file_name(image['file_name'], where)


def check_annotations(annotations: Iterable[dict], source: str) -> None:
    """Check the ``annotations`` list of an annotation file.

    Args:
        annotations: entries of the file.
        source: file name for messages.

    Raises:
        AnnotationFormatError: an id is missing or no non-negative integer, ``bbox`` or
            ``keypoints`` is no flat list of numbers, ``area`` is no number, or one of
            the numbers is beyond all floats.
    """
    id_keys = ('id', 'image_id', 'category_id')
    for ann in annotations:
        _check_keys(ann, 'annotation', id_keys, source)
        _check_ids(ann, 'annotation', id_keys, source)
        where = f'{source}: annotation {ann["id"]}'
        for key in ('bbox', 'keypoints'):
            if ann.get(key) and not _is_number_list(ann[key]):
                raise _not_a(where, key, 'a flat list of numbers', ann[key])
        area = ann.get('area')
        if area is not None and not _is_number(area):
            raise _not_a(where, 'area', 'a number', area)


def check_categories(categories: Iterable[dict], source: str) -> None:
    """Check the ids of the ``categories`` list of an annotation file.

    Args:
        categories: entries of the file.
        source: file name for messages.

    Raises:
        AnnotationFormatError: an id is missing or no non-negative integer.
    """
    for category in categories:
        _check_keys(category, 'category', ('id',), source)
        _check_ids(category, 'category', ('id',), source)


def _check_keys(entry: dict, kind: str, keys: Sequence[str], source: str) -> None:
    absent = [key for key in keys if key not in entry]
    if absent:
        name = _shorten(entry['id']) if 'id' in entry else 'without id'
        raise AnnotationFormatError(
            f'{source}: {kind} {name} has no {", ".join(absent)}'
        )


def _check_ids(entry: dict, kind: str, keys: Sequence[str], source: str) -> None:
    for key in keys:
        value = entry[key]
        if type(value) is not int or not 0 <= value <= MAX_ID:
            where = f'{source}: {kind} {_shorten(entry["id"])}'
            raise _not_a(where, key, 'a non-negative integer below 2**63', value)


def _check_file_name(file_name: object, where: str) -> None:
    if not isinstance(file_name, str) or not file_name or '\0' in file_name:
        raise _not_a(where, 'file_name', 'the name of a file', file_name)
    if any('\ud800' <= letter <= '\udfff' for letter in file_name):  # half a letter
        raise _not_a(where, 'file_name', 'text', ascii(file_name))
    path = PurePosixPath(file_name.replace('\\', '/'))
    if path.is_absolute() or '..' in path.parts:
        raise AnnotationFormatError(
            f'{where} points outside the data root: {file_name!r}. File names are '
            f'relative to the image folder.'
        )


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


def _not_a(where: str, key: str, expected: str, value: object) -> AnnotationFormatError:
    return AnnotationFormatError(
        f'{where}: "{key}" should be {expected}, but is {_shorten(value)}'
    )


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'
