"""LabelMe: one JSON file per picture, https://github.com/wkentaro/labelme.

Keypoints are shapes of type ``point`` labelled with the keypoint's name, a box is a
``rectangle``; ``group_id`` says what belongs to one object. Without any ``group_id``
all shapes of a picture are one object. A shape's flag ``hidden`` marks an occluded
keypoint. The skeleton has no place in the format.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import AnnotationFormatError, MissingDataError
from ..utils.json_file import read_json
from .files import fitting_name, malformed, rounded, write_text
from .labels import (
    LabelledInstance,
    LabelledPicture,
    LabelSet,
    make_instance,
    make_picture,
)

VERSION = '5.5.0'
HIDDEN = 'hidden'


def is_labelme(content: object) -> bool:
    """Whether the content of a JSON file has LabelMe's form."""
    return isinstance(content, dict) and {'shapes', 'imagePath'} <= content.keys()


def read_labelme(path: str | Path, category: str | None = None) -> LabelSet:
    """Read one file, or all files of a folder.

    Args:
        path: a JSON file, or a folder with one per picture.
        category: label of the boxes to read; None where there is only one.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: a file is not LabelMe's, or marks no point.
    """
    path = Path(path)
    files = sorted(path.rglob('*.json')) if path.is_dir() else [path]
    root = path if path.is_dir() else path.parent
    contents = [(file.parent.relative_to(root), read_json(file)) for file in files]
    if path.is_dir():
        contents = [pair for pair in contents if is_labelme(pair[1])]
    if not contents:
        raise MissingDataError(f"{path} holds no JSON file of LabelMe's")
    try:
        shapes = [part['shapes'] for _, part in contents]
        names = _point_names(shapes)
        pictures = [_read_picture(*pair, names) for pair in contents]
        boxes = [s['label'] for own in shapes for s in own if _is(s, 'rectangle')]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise malformed(path, error, 'LabelMe') from error
    if not names:
        raise AnnotationFormatError(
            f'{path} marks no point: keypoints are shapes of type "point"'
        )
    name = category or (boxes[0] if boxes else 'object')
    return LabelSet(str(name), names, (), pictures)


def _point_names(shapes: Sequence[Sequence[dict]]) -> tuple[str, ...]:
    """Labels of all points, in the order in which they first occur."""
    return tuple(
        dict.fromkeys(str(s['label']) for own in shapes for s in own if _is(s, 'point'))
    )


def _is(shape: dict, kind: str) -> bool:
    return shape.get('shape_type') == kind


def _read_picture(
    folder: Path, content: dict, names: tuple[str, ...]
) -> LabelledPicture:
    groups: dict[object, list[dict]] = {}
    for shape in content['shapes']:
        groups.setdefault(shape.get('group_id'), []).append(shape)
    size = (content.get('imageWidth'), content.get('imageHeight'))
    return make_picture(
        (folder / content['imagePath'].replace('\\', '/')).as_posix(),
        (int(size[0]), int(size[1])) if all(size) else None,
        [
            _read_instance(own, names)
            for own in groups.values()
            if any(_is(shape, 'point') for shape in own)
        ],
    )


def _read_instance(shapes: list[dict], names: tuple[str, ...]) -> LabelledInstance:
    points, hidden, scores, box = {}, [], {}, None
    for shape in shapes:
        if _is(shape, 'point'):
            label = str(shape['label'])
            (x, y) = shape['points'][0]
            points[label] = (float(x), float(y))
            hidden += [label] if (shape.get('flags') or {}).get(HIDDEN) else []
            if shape.get('score') is not None:
                scores[label] = float(shape['score'])
        elif _is(shape, 'rectangle'):
            (x1, y1), (x2, y2) = shape['points']
            box = (min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))
    return make_instance(points, names, hidden, scores, box)


def write_labelme(labels: LabelSet, folder: str | Path) -> list[Path]:
    """Write one file per picture, at the picture's own relative path.

    Copied beside the pictures, LabelMe opens them. A frame of a video is named
    ``<video>/frame_000012.json``; of two pictures that differ only in their suffix, the
    second keeps it: ``a.png.json``.

    Raises:
        ConfigError: a picture's size is not known, or a file can't be written.
    """
    written: dict[Path, None] = {}
    for picture in labels.pictures:
        name = PurePosixPath(picture.name)
        path = Path(folder) / fitting_name(name.with_suffix('.json'))
        if path in written:
            path = Path(folder) / fitting_name(name.with_name(f'{name.name}.json'))
        written[write_text(path, _to_text(picture, labels))] = None
    return list(written)


def _to_text(picture: LabelledPicture, labels: LabelSet) -> str:
    width, height = picture.known_size('LabelMe')
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
    names = labels.keypoint_names
    hidden = {n for n, v in zip(names, instance.visibility) if v == 1}
    for name, point in instance.points_by_name(names).items():
        shape = _shape(name, 'point', [rounded(point)], group)
        if name in hidden:
            shape['flags'] = {HIDDEN: True}
        if instance.confidence is not None:
            score = instance.confidence[names.index(name)]
            shape['score'] = round(float(score), 4)
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
