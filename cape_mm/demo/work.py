"""A user's work as the browser sends and keeps it: JSON, read and checked.

::

    {"category": "mouse", "next": 7,
     "keypoints": [{"id": 1, "name": "nose"}], "edges": [[1, 2]],
     "pictures": [{"key": "9f..", "name": "a.jpg", "size": [640, 480], "support": true,
                   "objects": [{"id": 3, "box": null, "shot": false,
                                "points": {"1": [10.5, 20], "2": null}}]}]}

A point that is null is said not to be there. ``support`` marks support pictures,
``shot`` an object of another picture that is used as a further support. ``next`` is the
first id that is free; keypoints and objects share them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

import numpy as np

from ..errors import ConfigError
from ..formats import LabelledInstance, LabelledPicture, LabelSet
from ..formats.labels import unique_names
from .pictures import KEY, Limits, clean_name

MAX_LABEL = 40
"""Letters of a keypoint's or a category's name."""
MAX_NUMBER = 1e6
"""Of a side or a coordinate in pixels."""

Box = tuple[float, ...]
Points = dict[int, tuple[float, ...] | None]
Read = TypeVar('Read')


@dataclass(frozen=True)
class Object:
    """One object on a picture.

    Attributes:
        id: see the module.
        box: (x, y, w, h) in pixels; None is the whole picture.
        is_shot: used as a support.
        points: (x, y) by the keypoint's id; None where a person says there is none.
    """

    id: int
    box: Box | None
    is_shot: bool
    points: Points


@dataclass(frozen=True)
class WorkPicture:
    """A picture's key, name and size (w, h), and its objects."""

    key: str
    name: str
    size: tuple[int, int]
    is_support: bool
    objects: tuple[Object, ...]


@dataclass(frozen=True)
class Work:
    """Everything that a user did.

    Attributes:
        category: name of what the pictures show.
        keypoints: names of the K keypoints by their ids.
        edges: pairs of ids.
        pictures: supports and queries.
    """

    category: str
    keypoints: dict[int, str]
    edges: tuple[tuple[int, int], ...]
    pictures: tuple[WorkPicture, ...]

    @property
    def skeleton(self) -> tuple[tuple[int, int], ...]:
        """Edges as 0-based index pairs."""
        places = {key: place for place, key in enumerate(self.keypoints)}
        return tuple((places[a], places[b]) for a, b in self.edges)

    def shots(self) -> list[tuple[WorkPicture, Object]]:
        """Objects that are used as supports, with a point at least."""
        return [
            (picture, one)
            for picture in self.pictures
            for one in picture.objects
            if (picture.is_support or one.is_shot) and any(one.points.values())
        ]

    def array(self, points: Mapping[int, tuple | None], width: int = 2) -> np.ndarray:
        """Points in the order of the keypoints, float64 (K, width); NaN: none."""
        rows = [points.get(key) or (np.nan,) * width for key in self.keypoints]
        return np.array(rows, dtype=np.float64).reshape(-1, width)

    def to_json(self) -> dict:
        """What :func:`read_work` reads."""
        ids = [one.id for picture in self.pictures for one in picture.objects]
        return dict(
            category=self.category,
            next=max([0, *ids, *self.keypoints]) + 1,
            keypoints=[dict(id=i, name=name) for i, name in self.keypoints.items()],
            edges=self.edges,
            pictures=[
                dict(
                    key=picture.key,
                    name=picture.name,
                    size=picture.size,
                    support=picture.is_support,
                    objects=[
                        dict(
                            id=one.id, box=one.box, shot=one.is_shot, points=one.points
                        )
                        for one in picture.objects
                    ],
                )
                for picture in self.pictures
            ],
        )


def parse(text: bytes) -> _Part:
    """A message's parts by name.

    Raises:
        ConfigError: it is no JSON object.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError('expected JSON') from error
    return _Part(content, 'message')


def read_work(part: _Part, limits: Limits) -> Work:
    """Read the work.

    Raises:
        ConfigError: it is no such work, or more than is taken; the message tells where.
    """
    keypoints = part.each('keypoints', limits.max_points, _keypoint)
    names = unique_names(name for _, name in keypoints)
    by_id = dict(zip([key for key, _ in keypoints], names))
    pictures = part.each(
        'pictures',
        limits.max_queries + limits.max_shots,
        lambda one: _picture(one, by_id, limits),
    )
    ids = [one.id for picture in pictures for one in picture.objects]
    if len({*ids, *by_id}) < len(ids) + len(keypoints):
        raise ConfigError(f'{part.where}: two keypoints or objects have one id')
    edges = []
    for edge in part.list('edges', limits.max_points**2):
        pair = tuple(edge) if isinstance(edge, list) else ()
        if (
            len(pair) != 2
            or pair[0] == pair[1]
            or not all(_is_known(i, by_id) for i in pair)
        ):
            raise ConfigError(f'edges: {_short(edge)} are no two of the keypoints')
        edges.append(pair)
    work = Work(
        clean_label(part.get('category', str)) or 'object',
        by_id,
        tuple(edges),
        pictures,
    )
    if len(work.shots()) > limits.max_shots:
        raise ConfigError(f'at most {limits.max_shots} supports are taken')
    return work


def read_predictions(part: _Part, work: Work) -> dict[int, Points]:
    """Predicted points (x, y, confidence) by the objects' ids.

    Raises:
        ConfigError: they are none.
    """
    found = {}
    for picture in work.pictures:
        for one in picture.objects:
            entry = part.get('predictions', dict).get(str(one.id))
            if entry is not None:
                own = _Part(entry, f'predictions of {picture.name}')
                found[one.id] = _points(own, work.keypoints, 3)
    return found


def to_label_set(
    work: Work, predictions: Mapping[int, Points], threshold: float
) -> LabelSet:
    """Support pictures as they are marked, then the others as the page shows them.

    Points that are not shown get v = 0, points that a person set confidence 1.

    Args:
        work: of the user.
        predictions: (x, y, confidence) by the objects' ids.
        threshold: predictions of less confidence are not shown.

    Raises:
        ConfigError: no picture shows a point.
    """
    found = []
    for picture in sorted(work.pictures, key=lambda one: not one.is_support):
        instances = tuple(_instances(picture, work, predictions, threshold))
        if instances:
            found.append((picture, instances))
    if not found:
        raise ConfigError('nothing to download yet: mark points, then predict')
    names = unique_names((picture.name for picture, _ in found), numbered_file)
    pictures = [
        LabelledPicture(name, picture.size, instances)
        for name, (picture, instances) in zip(names, found)
    ]
    names = tuple(work.keypoints.values())
    return LabelSet(work.category, names, work.skeleton, pictures)


def _instances(
    picture: WorkPicture,
    work: Work,
    predictions: Mapping[int, Points],
    threshold: float,
) -> Iterator[LabelledInstance]:
    for one in picture.objects:
        shown: Points = {}
        if not picture.is_support:
            found = predictions.get(one.id, {})
            shown = {k: row for k, row in found.items() if row and row[2] >= threshold}
        own = {key: point and (*point, 1.0) for key, point in one.points.items()}
        rows = work.array(shown | own, 3)
        is_shown = np.isfinite(rows[:, 0])
        if is_shown.any():
            rows = np.where(is_shown[:, None], rows, 0.0)
            # without a box the model looks at the whole picture; a tighter one differs
            box = np.array(one.box or (0, 0, *picture.size), dtype=np.float64)
            visibility = np.where(is_shown, 2, 0)
            yield LabelledInstance(rows[:, :2], visibility, rows[:, 2].clip(0, 1), box)


def numbered_file(name: str, count: int) -> str:
    """A file's name with a number before its suffix."""
    path = PurePosixPath(name)
    return f'{path.stem} ({count}){path.suffix}'


def clean_label(name: str) -> str:
    """A name without unprintable letters and double spaces, of bounded length."""
    text = ''.join(letter if letter.isprintable() else ' ' for letter in name)
    return ' '.join(text.split())[:MAX_LABEL].strip()


class _Part:
    """A JSON object whose parts are read by name and type.

    Args:
        content: the object.
        where: its name, for messages.
    """

    def __init__(self, content: object, where: str) -> None:
        if not isinstance(content, dict):
            raise ConfigError(f'{where}: expected an object, got {_short(content)}')
        self.content, self.where = content, where

    def get(self, name: str, kind: type[Read]) -> Read:
        """A part of one type."""
        value = self.content.get(name)
        kinds = (int, float) if kind is float else kind
        is_bool = isinstance(value, bool)  # which Python takes for an int
        if not isinstance(value, kinds) or is_bool != (kind is bool):
            raise ConfigError(
                f'{self.where}: {name} is {_short(value)}, expected {kind.__name__}'
            )
        return value

    def part(self, name: str) -> _Part:
        """An object of this one."""
        return _Part(self.content.get(name), name)

    def list(self, name: str, limit: int) -> list:
        """A list that is not too long."""
        entries = self.get(name, list)
        if len(entries) > limit:
            raise ConfigError(f'{name}: at most {limit} are taken, got {len(entries)}')
        return entries

    def each(self, name: str, limit: int, read: Callable[[_Part], Read]) -> tuple:
        """The objects of a list."""
        entries = enumerate(self.list(name, limit))
        return tuple(read(_Part(one, f'{name}[{i}]')) for i, one in entries)


def _keypoint(part: _Part) -> tuple[int, str]:
    name = clean_label(part.get('name', str))
    if not name:
        raise ConfigError(f'{part.where} has no name')
    return part.get('id', int), name


def _picture(part: _Part, keypoints: dict[int, str], limits: Limits) -> WorkPicture:
    size = _numbers(part.content.get('size'), 2)
    if size is None or min(size) < 1:
        raise ConfigError(f'{part.where}: size is no width and height')
    key = part.get('key', str)
    if not KEY.fullmatch(key):
        raise ConfigError(f'{part.where}: {_short(key)} is no key of a picture')

    def read(one: _Part) -> Object:
        box = one.content.get('box')
        numbers = _numbers(box, 4)
        if box is not None and numbers is None:
            raise ConfigError(f'{one.where}: box is no x, y, w, h: {_short(box)}')
        points = _points(one, keypoints, 2)
        return Object(one.get('id', int), numbers, one.get('shot', bool), points)

    return WorkPicture(
        key,
        clean_name(part.get('name', str)),
        (int(size[0]), int(size[1])),
        part.get('support', bool),
        part.each('objects', limits.max_objects, read),
    )


def _points(part: _Part, keypoints: dict[int, str], width: int) -> Points:
    """Points by the keypoints' ids; those of keypoints that are gone are left out."""
    found: Points = {}
    content = part.get('points', dict)
    for key in keypoints:
        if str(key) in content:
            row = content[str(key)]
            found[key] = _numbers(row, width)
            if row is not None and found[key] is None:
                raise ConfigError(
                    f'{part.where}: {keypoints[key]} is at {_short(row)}, expected '
                    f'{width} numbers or null'
                )
    return found


def _is_known(value: object, ids: Mapping[int, str]) -> bool:
    return type(value) is int and value in ids


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    """Finite numbers, so many; None where it is something else."""
    if not isinstance(value, list) or len(value) != count:
        return None
    is_fine = all(
        type(v) in (int, float) and math.isfinite(v) and abs(v) <= MAX_NUMBER
        for v in value
    )
    return tuple(value) if is_fine else None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:60]} ...'
