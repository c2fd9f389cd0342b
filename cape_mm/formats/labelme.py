"""LabelMe: one JSON file per picture, https://github.com/wkentaro/labelme.

Keypoints are shapes of type ``point`` labelled with the keypoint's name, a box is a
``rectangle``; ``group_id`` says what belongs to one object. Without any ``group_id``
all shapes of a picture are one object. A shape's flag ``hidden`` marks an occluded
keypoint. The skeleton has no place in the format.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import MissingDataError
from ..utils.json_file import read_json
from .files import expecting, fitting_name, rounded, write_text
from .labels import FRAME_NAME, LabelledInstance, LabelledPicture, LabelSet
from .marks import MarkedObject, MarkedPicture, collect

VERSION = '5.5.0'
HIDDEN = 'hidden'
BOX_KINDS = ('rectangle', 'rotation')
"""The second is X-AnyLabeling's; its box is the upright one around it."""


def is_labelme(content: object) -> bool:
    """Whether the content of a JSON file has LabelMe's form."""
    return isinstance(content, dict) and {'shapes', 'imagePath'} <= content.keys()


def read_labelme(path: str | Path, category: str | None = None) -> LabelSet:
    """Read one file, or all files of a folder.

    Args:
        path: a JSON file, or a folder with one per picture.
        category: label of the boxes of the objects to read, see
            :func:`~.marks.collect`.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: a file is not LabelMe's, marks no point, or an object has
            two points of one label.
        ConfigError: the category is not there, or has to be named.
    """
    path = Path(path)
    files = sorted(path.rglob('*.json')) if path.is_dir() else [path]
    root = path if path.is_dir() else path.parent
    if FRAME_NAME.fullmatch(f'{root.name}/frame_000000.png'):
        root = root.parent  # that of a video is part of the names of its frames
    contents = [(file, read_json(file)) for file in files]
    if path.is_dir():
        contents = [pair for pair in contents if is_labelme(pair[1])]
    if not contents:
        raise MissingDataError(
            f"{path} holds no JSON file of LabelMe's: name a file of another format "
            f'itself'
        )
    with expecting('LabelMe', path):
        pictures = [
            _read_picture(file.parent.relative_to(root), content, file)
            for file, content in contents
        ]
    return collect(pictures, category, 'object', path)


def _read_picture(folder: Path, content: dict, file: Path) -> MarkedPicture:
    objects: dict[object, MarkedObject] = {}
    for shape in content['shapes']:
        group = shape.get('group_id')
        one = objects.setdefault(group, MarkedObject(file, ' by their group_id'))
        label, kind = shape['label'], shape.get('shape_type')
        if kind == 'point':
            is_hidden = (shape.get('flags') or {}).get(HIDDEN)
            score = shape.get('score')
            one.add(label, shape['points'][0], 1 if is_hidden else 2, score)
        elif kind in BOX_KINDS:
            # two opposite corners, or all four
            corners = np.array(shape['points'], dtype=np.float64).reshape(-1, 2)
            low, high = corners.min(axis=0), corners.max(axis=0)
            one.add_box(label, (*low, *(high - low)))
    size = (content.get('imageWidth'), content.get('imageHeight'))
    return MarkedPicture(
        (folder / content['imagePath'].replace('\\', '/')).as_posix(),
        (int(size[0]), int(size[1])) if all(size) else None,
        list(objects.values()),
    )


def write_labelme(labels: LabelSet, folder: str | Path) -> list[Path]:
    """Write one file per picture, at the picture's own relative path.

    Copied beside the pictures, LabelMe opens them. A frame of a video is named
    ``<video>/frame_000012.json``; of two pictures that differ only in their suffix, the
    second keeps it: ``a.png.json``.

    Raises:
        ConfigError: a file can't be written.
    """
    written: dict[Path, None] = {}
    for picture in labels.pictures:
        name = PurePosixPath(picture.name)
        path = Path(folder) / fitting_name(name.with_suffix('.json'))
        while path in written:
            name = name.with_name(f'{name.name}.json')
            path = Path(folder) / fitting_name(name)
        written[write_text(path, _to_text(picture, labels))] = None
    return list(written)


def _to_text(picture: LabelledPicture, labels: LabelSet) -> str:
    width, height = picture.size
    content = dict(
        version=VERSION,
        flags={},
        shapes=[
            shape
            for group, instance in enumerate(picture.instances)
            for shape in _shapes(instance, group, labels)
        ],
        imagePath=PurePosixPath(picture.name).name,
        imageData=None,
        imageHeight=height,
        imageWidth=width,
    )
    return json.dumps(content, indent=1) + '\n'


def _shapes(instance: LabelledInstance, group: int, labels: LabelSet) -> list[dict]:
    shapes = []
    if instance.bbox is not None:
        x, y, w, h = instance.bbox
        corners = [rounded((x, y)), rounded((x + w, y + h))]
        shapes.append(_shape(labels.category, 'rectangle', corners, group))
    for name, point, v, score in instance.labelled(labels.keypoint_names):
        shape = _shape(name, 'point', [rounded(point)], group)
        if v == 1:
            shape['flags'] = {HIDDEN: True}
        if score is not None:
            shape['score'] = score
        shapes.append(shape)
    return shapes


def _shape(label: str, kind: str, points: list, group: int) -> dict[str, Any]:
    return dict(
        label=label,
        points=points,
        group_id=group,
        description='',
        shape_type=kind,
        flags={},
    )
