"""Everything that a user has marked, as values: an action gives a new value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .pictures import Picture


@dataclass(frozen=True, eq=False)
class Pose:
    """The keypoints on one picture.

    Attributes:
        picture: the picture.
        points: (x, y) in original pixels, float64 (K, 2); NaN where there is none.
        confidence: in [0, 1], float64 (K,); 1 where a person decided.
        is_manual: a person set the point, found it right, or said that there is none,
            bool (K,).
        is_predicted: a model has looked at the picture.
    """

    picture: Picture
    points: np.ndarray
    confidence: np.ndarray
    is_manual: np.ndarray
    is_predicted: bool = False

    @property
    def is_placed(self) -> np.ndarray:
        """There is a point, bool (K,)."""
        return np.isfinite(self.points).all(axis=1)

    def is_shown(self, threshold: float) -> np.ndarray:
        """Points of enough confidence, which those of people always have, bool (K,)."""
        return self.is_placed & (self.confidence >= threshold)

    def put(self, index: int, point: Sequence[float] | None) -> Pose:
        """The same with one point set by a person; None: there is none."""
        points, confidence = self.points.copy(), self.confidence.copy()
        is_manual = self.is_manual.copy()
        points[index] = np.nan if point is None else point
        confidence[index], is_manual[index] = float(point is not None), True
        return replace(self, points=points, confidence=confidence, is_manual=is_manual)

    def confirm(self, is_right: np.ndarray) -> Pose:
        """The same with points, bool (K,), that a person found right."""
        return replace(
            self,
            confidence=np.where(is_right, 1.0, self.confidence),
            is_manual=self.is_manual | is_right,
        )

    def only(self, is_kept: np.ndarray) -> Pose:
        """The same without the other points, bool (K,), as a person's own work."""
        return Pose(
            self.picture,
            np.where(is_kept[:, None], self.points, np.nan),
            is_kept.astype(float),
            is_kept,
        )

    def predict(
        self, points: np.ndarray, confidence: np.ndarray, is_known: np.ndarray
    ) -> Pose:
        """The same with a model's points wherever no person decided."""
        points = np.where(is_known[:, None], points, np.nan)
        confidence = np.where(is_known, confidence, 0.0)
        return replace(
            self,
            points=np.where(self.is_manual[:, None], self.points, points),
            confidence=np.where(self.is_manual, self.confidence, confidence),
            is_predicted=True,
        )

    def without(self, index: int) -> Pose:
        """The same for K - 1 keypoints."""
        return replace(
            self,
            points=np.delete(self.points, index, axis=0),
            confidence=np.delete(self.confidence, index),
            is_manual=np.delete(self.is_manual, index),
        )

    def extended(self, count: int) -> Pose:
        """The same for ``count`` more keypoints, of which there is no point yet."""
        more = empty_pose(self.picture, count)
        return replace(
            self,
            points=np.concatenate([self.points, more.points]),
            confidence=np.concatenate([self.confidence, more.confidence]),
            is_manual=np.concatenate([self.is_manual, more.is_manual]),
        )


def empty_pose(picture: Picture, num_points: int) -> Pose:
    """A picture without any point."""
    return Pose(
        picture,
        np.full((num_points, 2), np.nan),
        np.zeros(num_points),
        np.zeros(num_points, dtype=bool),
    )


@dataclass(frozen=True)
class Labels:
    """A user's whole work.

    Attributes:
        names: of the K keypoints, all different.
        edges: of the skeleton, 0-based index pairs (a, b), a < b.
        shots: support pictures.
        queries: pictures to predict.
    """

    names: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    shots: tuple[Pose, ...] = ()
    queries: tuple[Pose, ...] = ()

    def put(
        self, picture: Picture, index: int, point: Sequence[float] | None
    ) -> Labels:
        """The same with a point set by a person on a picture; None: there is none.

        A picture that is support and query at once has the point in both.
        """

        def put(pose: Pose) -> Pose:
            return pose.put(index, point) if pose.picture is picture else pose

        return replace(
            self,
            shots=tuple(put(pose) for pose in self.shots),
            queries=tuple(put(pose) for pose in self.queries),
        )

    def with_points(self, names: Sequence[str]) -> Labels:
        """The same with further keypoints behind those that there are."""
        return replace(
            self,
            names=(*self.names, *names),
            shots=tuple(pose.extended(len(names)) for pose in self.shots),
            queries=tuple(pose.extended(len(names)) for pose in self.queries),
        )

    def without_point(self, index: int) -> Labels:
        """The same without a keypoint, its edges and its places on all pictures."""
        edges = tuple(
            (a - (a > index), b - (b > index))
            for a, b in self.edges
            if index not in (a, b)
        )
        return Labels(
            self.names[:index] + self.names[index + 1 :],
            edges,
            tuple(pose.without(index) for pose in self.shots),
            tuple(pose.without(index) for pose in self.queries),
        )

    def toggled(self, first: int, second: int) -> Labels:
        """The same with an edge more, or without it where it was there."""
        edge = (min(first, second), max(first, second))
        if edge in self.edges:
            return replace(self, edges=tuple(e for e in self.edges if e != edge))
        return replace(self, edges=(*self.edges, edge))
