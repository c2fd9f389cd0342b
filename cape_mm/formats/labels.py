"""Labelled pictures as every format says them: the record between all of them."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

FRAME_NAME = re.compile(
    r'(.+\.(?:mp4|avi|mov|mkv|webm|m4v|mpe?g|wmv|mjpeg|m2?ts|3gp|flv|ogv))'
    r'/frame_(\d{6,})\.png',
    re.IGNORECASE,
)

LABELLED_FRAME = re.compile(r'(labeled-data/[^/]+|.+/labeled-data/[^/]+)/img(\d+)\.png')
"""A frame that DeepLabCut extracted: folder of the video's name, number from 0."""


@dataclass(frozen=True)
class LabelledInstance:
    """One object on a picture.

    Attributes:
        keypoints: (x, y) in pixels, float64 (K, 2); zero where not labelled.
        visibility: COCO's v, 0 not labelled, 1 hidden, 2 seen, int64 (K,).
        confidence: in [0, 1], float64 (K,); None for labels made by people.
        bbox: (x, y, w, h), float64 (4,), or None.
    """

    keypoints: np.ndarray
    visibility: np.ndarray
    confidence: np.ndarray | None = None
    bbox: np.ndarray | None = None

    @property
    def score(self) -> float:
        """Mean confidence of the labelled keypoints, 1 where there is none."""
        is_labelled = self.visibility > 0
        if self.confidence is None or not is_labelled.any():
            return 1.0
        return float(self.confidence[is_labelled].mean())

    def box(self) -> np.ndarray:
        """The box, or where there is none that around the labelled keypoints."""
        if self.bbox is not None:
            return self.bbox
        points = self.keypoints[self.visibility > 0]
        if not len(points):
            return np.zeros(4)
        low, high = points.min(axis=0), points.max(axis=0)
        return np.concatenate([low, high - low])

    def labelled(
        self, names: Iterable[str]
    ) -> Iterator[tuple[str, np.ndarray, int, float | None]]:
        """Name, place, v and confidence of every labelled keypoint."""
        scores = [None] * len(self.keypoints)
        if self.confidence is not None:
            scores = [round(float(score), 4) for score in self.confidence]
        for name, point, v, score in zip(
            names, self.keypoints, self.visibility, scores
        ):
            if v > 0:
                yield name, point, int(v), score


@dataclass(frozen=True)
class LabelledPicture:
    """A picture, or a frame of a video, with its objects.

    Attributes:
        file_name: path of the file, with ``/``; see :attr:`is_outside`.
        size: (w, h) in pixels, for writing; None where a format that is read does not
            tell.
        instances: the objects.
        frame: frame number in the video ``file_name``, None for a picture.
    """

    file_name: str
    size: tuple[int, int] | None
    instances: tuple[LabelledInstance, ...]
    frame: int | None = None

    @property
    def name(self) -> str:
        """Unique name: the file's, with the frame's number for a video."""
        if self.frame is None:
            return self.file_name
        return f'{self.file_name}/frame_{self.frame:06d}.png'

    @property
    def is_outside(self) -> bool:
        """The name is absolute or leaves the folder of pictures."""
        return re.match(r'/|\.\./|[A-Za-z]:', self.file_name) is not None


@dataclass(frozen=True)
class LabelSet:
    """Pictures of one category.

    Attributes:
        category: its name.
        keypoint_names: K names, all different.
        skeleton: 0-based index pairs.
        pictures: may be read more than once.
        notes: what was left out or had to be guessed, for people.
    """

    category: str
    keypoint_names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...]
    pictures: Iterable[LabelledPicture]
    notes: tuple[str, ...] = ()


def make_picture(
    name: str,
    size: tuple[int, int] | None,
    instances: Iterable[LabelledInstance],
) -> LabelledPicture:
    """A picture by its unique name, which for a video tells file and frame."""
    name, instances = clean_name(name), tuple(instances)
    if found := FRAME_NAME.fullmatch(name):
        return LabelledPicture(found[1], size, instances, int(found[2]))
    return LabelledPicture(name, size, instances)


def clean_name(name: str) -> str:
    """A picture's name with ``/`` and without detours, in Unicode's form NFC.

    Systems differ in all three: the same name must look the same.
    """
    return plain(posixpath.normpath(name.replace('\\', '/')))


def plain(text: object) -> str:
    """Text in Unicode's form NFC, the same wherever it was typed, and printable."""
    whole = str(text).encode('utf-8', 'backslashreplace').decode()
    return unicodedata.normalize('NFC', whole)


def default_names(num_keypoints: int) -> tuple[str, ...]:
    """Names for keypoints that nobody named: ``keypoint_0``, ``keypoint_1``, ..."""
    return tuple(f'keypoint_{k}' for k in range(num_keypoints))


def unique_names(
    names: Iterable[str], numbered: Callable[[str, int], str] = '{}_{}'.format
) -> tuple[str, ...]:
    """The same names, with a number behind those that were there before.

    Args:
        names: some of them equal.
        numbered: makes a new name of one and a number from 2.
    """
    found: dict[str, None] = {}
    for name in names:
        unique, count = name, 2
        while unique in found:
            unique, count = numbered(name, count), count + 1
        found[unique] = None
    return tuple(found)
