"""Support pictures, keypoints and skeleton of one user, with undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ConfigError
from .labels import Labels, Pose, empty_pose
from .pictures import Limits, read_upload, unique_name

ADD, MOVE, CONNECT = 'Add points', 'Move the selected point', 'Connect points'
MODES = (ADD, MOVE, CONNECT)
"""What a click on a support picture does."""


MAX_LABEL = 40
"""Letters of a keypoint's or a category's name."""


class Marking:
    """What a user marks by hand.

    Points are (x, y) in original pixels. Every action either is done or raises and
    changes nothing. Actions on points can be undone; uploading or removing pictures
    forgets the steps before, which would keep the removed ones in memory.

    Attributes:
        labels: the work so far.
        shot: index of the support picture that is shown.
        selected: index of the keypoint that was clicked last, or None.
        mode: one of ``MODES``.

    Args:
        limits: bounds of what is kept.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.labels = Labels()
        self.shot = 0
        self.selected: int | None = None
        self.mode = ADD
        self._history: list[Labels] = []

    def add_support(self, name: str, content: bytes) -> None:
        """Take an uploaded file as a further support picture, and show it.

        Raises:
            ConfigError: there are as many as there may be.
            ImageDecodeError: the file can't be used.
        """
        self._check_shots()
        picture = read_upload(name, content, self.limits)
        picture = replace(
            picture, name=unique_name(picture.name, self._picture_names())
        )
        pose = empty_pose(picture, len(self.labels.names))
        self._restart(replace(self.labels, shots=(*self.labels.shots, pose)))
        self.shot = len(self.labels.shots) - 1
        self.selected = None

    def remove_support(self) -> None:
        """Remove the support picture that is shown; keypoints and names stay."""
        self.current_shot()
        shots = self.labels.shots
        rest = shots[: self.shot] + shots[self.shot + 1 :]
        self._restart(replace(self.labels, shots=rest))

    def current_shot(self) -> Pose:
        """The support picture that is shown.

        Raises:
            ConfigError: there is none.
        """
        if not self.labels.shots:
            raise ConfigError('upload a support picture first (step 1)')
        return self.labels.shots[self.shot]

    def show_shot(self, index: int) -> None:
        """Show another support picture."""
        if not 0 <= index < len(self.labels.shots):
            raise ConfigError(f'there is no support picture {index + 1}')
        self.shot = index

    def add_point(self, point: Sequence[float], name: str = '') -> int:
        """Mark a keypoint: the next one that is not marked on this picture, or a new.

        Args:
            point: where.
            name: of a new keypoint; empty: a number.

        Returns:
            Its index.

        Raises:
            ConfigError: no picture, a place outside it, or too many keypoints.
        """
        pose, labels = self.current_shot(), self.labels
        point = check_inside(point, pose)
        missing = np.flatnonzero(~pose.is_placed)
        if len(missing):
            index = int(missing[0])
        else:
            index = len(labels.names)
            labels = self._with_names([name or free_name(labels.names)])
        self._change(labels.put(pose.picture, index, point))
        self.selected = index
        return index

    def move_point(self, index: int, point: Sequence[float]) -> None:
        """Move a keypoint of the shown support picture, or mark it there."""
        self._check_index(index)
        pose = self.current_shot()
        place = check_inside(point, pose)
        self._change(self.labels.put(pose.picture, index, place))
        self.selected = index

    def unmark_point(self, index: int) -> None:
        """Say that the shown support picture does not show a keypoint."""
        self._check_index(index)
        self._change(self.labels.put(self.current_shot().picture, index, None))

    def delete_point(self, index: int) -> None:
        """Remove a keypoint from all pictures, with its edges."""
        self._check_index(index)
        self._change(self.labels.without_point(index))

    def rename_point(self, index: int, name: str) -> None:
        """Give a keypoint another name.

        Raises:
            ConfigError: the name is empty or taken.
        """
        self._check_index(index)
        names = list(self.labels.names)
        names[index] = name
        self._change(replace(self.labels, names=check_names(names)))

    def set_names(self, names: Sequence[str]) -> None:
        """Name the keypoints in order; further names are keypoints yet to be marked.

        Raises:
            ConfigError: fewer names than marked keypoints, or empty or equal ones.
        """
        known = len(self.labels.names)
        if len(names) < known:
            raise ConfigError(
                f'{known} points are there, but {len(names)} names were given: add '
                f'names or delete points'
            )
        names = check_names(names)
        labels = self._with_names(names[known:]) if len(names) > known else self.labels
        self._change(replace(labels, names=names))

    def toggle_edge(self, first: int, second: int) -> None:
        """Connect two keypoints, or take their connection away."""
        self._check_index(first)
        self._check_index(second)
        if first == second:
            raise ConfigError('an edge connects two different points')
        self._change(self.labels.toggled(first, second))

    def undo(self) -> None:
        """Take the last change of points, edges or predictions back.

        Raises:
            ConfigError: there is none.
        """
        if not self._history:
            raise ConfigError('nothing to undo')
        self._show(self._history.pop())

    def _change(self, labels: Labels) -> None:
        """Go on with other labels; the present ones can be had back."""
        self._history = [*self._history, self.labels][-self.limits.max_undo :]
        self._show(labels)

    def _restart(self, labels: Labels) -> None:
        """Go on with other pictures, without a way back."""
        self._history = []
        self._show(labels)

    def _show(self, labels: Labels) -> None:
        """Let nothing point at what is no longer there."""
        if len(labels.names) < len(self.labels.names):
            self.selected = None
        self.labels = labels
        self.shot = max(0, min(self.shot, len(labels.shots) - 1))

    def _with_names(self, names: Sequence[str]) -> Labels:
        check_room(
            len(self.labels.names) + len(names), self.limits.max_points, 'points'
        )
        labels = self.labels.with_points(names)
        return replace(labels, names=check_names(labels.names))

    def _check_shots(self) -> None:
        num_shots = len(self.labels.shots) + 1
        check_room(num_shots, self.limits.max_shots, 'support pictures')

    def _check_index(self, index: int) -> None:
        if not 0 <= index < len(self.labels.names):
            raise ConfigError(
                f'there is no point {index + 1}; {len(self.labels.names)} are there'
            )

    def _picture_names(self) -> set[str]:
        poses = (*self.labels.shots, *self.labels.queries)
        return {pose.picture.name for pose in poses}


def check_inside(point: Sequence[float], pose: Pose) -> np.ndarray:
    """A place on a picture, float64 (2,).

    Raises:
        ConfigError: it is no pair of numbers, or lies outside the picture.
    """
    try:
        place = np.array(point, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f'x and y must be numbers, got {point}') from error
    width, height = pose.picture.size
    if place.shape != (2,) or not np.isfinite(place).all():
        raise ConfigError(f'x and y must be two numbers, got {point}')
    if (place < -0.5).any() or (place > np.array([width, height]) - 0.5).any():
        raise ConfigError(
            f'({place[0]:g}, {place[1]:g}) lies outside the picture of {width} x '
            f'{height} pixels'
        )
    return place


def check_room(number: int, limit: int, what: str) -> None:
    """Refuse more of something than there may be.

    Raises:
        ConfigError: there would be more.
    """
    if number > limit:
        raise ConfigError(f'at most {limit} {what} are taken')


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names of keypoints without what can't be printed.

    Raises:
        ConfigError: one is empty, or two are equal.
    """
    cleaned = tuple(clean_label(name) for name in names)
    if '' in cleaned:
        raise ConfigError(f'point {cleaned.index("") + 1} has no name')
    twice = sorted({name for name in cleaned if cleaned.count(name) > 1})
    if twice:
        raise ConfigError(
            f'two points are named {twice[0]!r}: every name can be used once'
        )
    return cleaned


def clean_label(name: object) -> str:
    """A name without unprintable letters and double spaces, of bounded length."""
    text = ''.join(letter if letter.isprintable() else ' ' for letter in str(name))
    return ' '.join(text.split())[:MAX_LABEL].strip()


def free_name(taken: Sequence[str]) -> str:
    """``point 1``, or the first number that is not taken, from K + 1 on."""
    number = len(taken) + 1
    while f'point {number}' in taken:
        number += 1
    return f'point {number}'
