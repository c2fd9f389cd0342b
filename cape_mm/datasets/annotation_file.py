"""Reading a COCO-keypoint annotation file, with messages that a person can act on."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from pycocotools.coco import COCO

from ..errors import AnnotationFormatError, MissingDataError
from ..utils.json_file import read_json
from .entry_checks import check_annotations, check_categories, check_images

REQUIRED_LISTS = ('images', 'annotations', 'categories')


def read_annotation_file(path: str | os.PathLike) -> COCO:
    """Read MP-100 or any other COCO-keypoint JSON.

    Args:
        path: the JSON file.

    Returns:
        The indexed file; ``imgs`` and ``imgToAnns`` keep the file's order.

    Raises:
        MissingDataError: the file does not exist or can not be read.
        AnnotationFormatError: it is no JSON, has not the lists of a COCO file, or an
            entry is incomplete or malformed (see
            :mod:`~cape_mm.datasets.entry_checks`).
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(
            f'annotation file not found: {path}. Set data_root and ann_file in the '
            f'config, or run "make demo" to see the system on generated data.'
        )
    lists = ', '.join(REQUIRED_LISTS)
    content = read_json(path, f'a COCO file (with the lists {lists})')
    _check_layout(content, str(path))
    return index_annotations(content)


def index_annotations(content: dict) -> COCO:
    """Index the content of an annotation file, without pycocotools' prints.

    Args:
        content: a COCO file's content; it is kept, not copied.
    """
    coco = COCO()
    coco.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _check_layout(content: dict, source: str) -> None:
    missing = [
        name for name in REQUIRED_LISTS if not isinstance(content.get(name), list)
    ]
    if missing:
        raise AnnotationFormatError(
            f'{source} is not a COCO keypoint file: no list named '
            f'{", ".join(missing)}; it has {sorted(content)}'
        )
    for name in REQUIRED_LISTS:
        _check_entries(content[name], name, source)
    check_images(content['images'], source)
    check_annotations(content['annotations'], source)
    check_categories(content['categories'], source)


def _check_entries(entries: list, name: str, source: str) -> None:
    for entry in entries:
        if not isinstance(entry, dict):
            raise AnnotationFormatError(
                f'{source}: every entry of "{name}" is an object, but one is of type '
                f'{type(entry).__name__}: {entry!r}'
            )
