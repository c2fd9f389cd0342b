"""Objects that a tool keeps mark by mark: which are meant, and what is said twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..errors import AnnotationFormatError, ConfigError
from .labels import LabelledInstance, LabelledPicture, LabelSet, make_picture, plain


class Mark(NamedTuple):
    """A keypoint: (x, y) in pixels, COCO's v, and confidence (NaN: none)."""

    x: float
    y: float
    visibility: int
    confidence: float


@dataclass
class MarkedObject:
    """One object on a picture.

    Attributes:
        where: the picture, for messages.
        remedy: how the tool tells objects apart, for messages.
        marks: keypoints by label.
        boxes: (x, y, w, h) with their labels.
    """

    where: object
    remedy: str = ''
    marks: dict[str, Mark] = field(default_factory=dict)
    boxes: list[tuple[str, tuple[float, ...]]] = field(default_factory=list)

    def add(
        self,
        label: str,
        point: Sequence[float],
        visibility: int = 2,
        confidence: float | None = None,
    ) -> None:
        """Add a keypoint; one whose place is not finite is not labelled.

        Raises:
            AnnotationFormatError: the object has a keypoint of that label.
        """
        label = plain(label)
        if label in self.marks:
            raise AnnotationFormatError(
                f'{self.where}: {label!r} is there more than once in one object. Every '
                f'keypoint needs a label of its own, and several objects have to be '
                f'told apart{self.remedy}.'
            )
        x, y = (float(value) for value in point)
        is_placed = math.isfinite(x) and math.isfinite(y)
        score = math.nan if confidence is None else float(confidence)
        placed = (x, y, visibility) if is_placed else (0.0, 0.0, 0)
        self.marks[label] = Mark(*placed, score)

    def add_box(self, label: str, box: Sequence[float]) -> None:
        """Add a box (x, y, w, h) with the name of a category."""
        self.boxes.append((plain(label), tuple(box)))

    def instance(self, names: Sequence[str], category: str) -> LabelledInstance:
        """The object as the record of all formats.

        Args:
            names: of all K keypoints.
            category: label of its box.

        Raises:
            AnnotationFormatError: it has several boxes of that label.
        """
        boxes = [box for label, box in self.boxes if label == category]
        if len(boxes) > 1:
            raise AnnotationFormatError(
                f'{self.where}: one object has several boxes {category!r}. Objects '
                f'have to be told apart{self.remedy}.'
            )
        absent = Mark(0.0, 0.0, 0, math.nan)
        marks = np.array([self.marks.get(name, absent) for name in names])
        scores = marks[:, 3]
        return LabelledInstance(
            marks[:, :2],
            marks[:, 2].astype(np.int64),
            None if np.isnan(scores).all() else np.nan_to_num(scores),
            np.array(boxes[0], dtype=np.float64) if boxes else None,
        )


@dataclass
class MarkedPicture:
    """A picture with its objects.

    Attributes:
        name: see :func:`~.labels.make_picture`.
        size: (w, h) in pixels, or None.
        objects: those without a keypoint do not count.
        frame: of the video ``name``.
    """

    name: str
    size: tuple[int, int] | None
    objects: Sequence[MarkedObject]
    frame: int | None = None


def collect(
    pictures: Sequence[MarkedPicture],
    category: str | None,
    default: str,
    path: object,
    notes: Sequence[str] = (),
) -> LabelSet:
    """Choose a category's objects.

    Args:
        pictures: of one file or folder.
        category: label of the boxes of the wanted objects. Where no box tells labels
            apart it only names them.
        default: name of the category where nothing tells it.
        path: of the labels, for messages.
        notes: see :class:`~.labels.LabelSet`.

    Raises:
        ConfigError: there is no such category, or one of several has to be named.
        AnnotationFormatError: there is no keypoint, or an object has two boxes.
    """
    objects = [one for picture in pictures for one in picture.objects]
    if not any(one.marks for one in objects):
        raise AnnotationFormatError('. '.join([f'{path} marks no keypoint', *notes]))
    boxed = sorted({label for o in objects if o.marks for label, _ in o.boxes})
    known = boxed or sorted({label for one in objects for label, _ in one.boxes})
    is_named = category is not None
    category = category or (boxed[0] if boxed else default)
    if is_named and known and category not in known or len(boxed) > 1 and not is_named:
        reason = f'no object is {category!r}' if is_named else 'there are several'
        raise ConfigError(
            f'{path}: {reason}; name a category, the label of a box: {", ".join(known)}'
        )

    def is_wanted(one: MarkedObject) -> bool:
        labels = [label for label, _ in one.boxes]
        return bool(one.marks) and (
            category in labels or not labels and not (boxed and is_named)
        )

    wanted = [[one for one in pic.objects if is_wanted(one)] for pic in pictures]
    names = tuple(dict.fromkeys(n for own in wanted for one in own for n in one.marks))
    records = []
    for picture, own in zip(pictures, wanted):
        instances = tuple(one.instance(names, category) for one in own)
        record = make_picture(picture.name, picture.size, instances)
        if picture.frame is not None:
            record = LabelledPicture(
                record.file_name, picture.size, instances, picture.frame
            )
        records.append(record)
    return LabelSet(category, names, (), records, tuple(notes))
