"""Reading a COCO-keypoint annotation file, with messages that a person can act on."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path, PurePosixPath

from pycocotools.coco import COCO

from ..errors import AnnotationFormatError, MissingDataError

REQUIRED_LISTS = ('images', 'annotations', 'categories')
REQUIRED_IMAGE_KEYS = ('id', 'file_name', 'width', 'height')


def read_annotation_file(path: str | os.PathLike) -> COCO:
    """Read MP-100 or any other COCO-keypoint JSON.

    Args:
        path: the JSON file.

    Returns:
        The indexed file; ``imgs`` and ``imgToAnns`` keep the file's order.

    Raises:
        MissingDataError: the file does not exist.
        AnnotationFormatError: it is no JSON, has not the lists of a COCO file, or an
            image entry is incomplete or points outside the data root.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(
            f'annotation file not found: {path}. Set data_root and ann_file in the '
            f'config, or run "make demo" to see the system on generated data.'
        )
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AnnotationFormatError(f'{path} is not a JSON file: {error}') from error
    _check_layout(content, str(path))
    coco = COCO()
    coco.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _check_layout(content: object, source: str) -> None:
    if not isinstance(content, dict):
        raise AnnotationFormatError(
            f'{source}: a COCO file is a JSON object with the lists '
            f'{", ".join(REQUIRED_LISTS)}, but this one is a {type(content).__name__}'
        )
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
    for image in content['images']:
        _check_image(image, source)
    for ann in content['annotations']:
        absent = [key for key in ('id', 'image_id', 'category_id') if key not in ann]
        if absent:
            raise AnnotationFormatError(
                f'{source}: annotation {ann.get("id", "without id")} has no '
                f'{", ".join(absent)}'
            )


def _check_entries(entries: list, name: str, source: str) -> None:
    for entry in entries:
        if not isinstance(entry, dict):
            raise AnnotationFormatError(
                f'{source}: every entry of "{name}" is an object, but one is of type '
                f'{type(entry).__name__}: {entry!r}'
            )


def _check_image(image: dict, source: str) -> None:
    absent = [key for key in REQUIRED_IMAGE_KEYS if key not in image]
    if absent:
        raise AnnotationFormatError(
            f'{source}: image {image.get("id", image)} has no {", ".join(absent)}'
        )
    file_name = PurePosixPath(str(image['file_name']).replace('\\', '/'))
    if file_name.is_absolute() or '..' in file_name.parts:
        raise AnnotationFormatError(
            f'{source}: image {image["id"]} points outside the data root: '
            f'{image["file_name"]!r}. File names are relative to the image folder.'
        )
