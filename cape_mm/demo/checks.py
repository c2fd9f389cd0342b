"""Checks of what a user typed or clicked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from .labels import Pose

MAX_LABEL = 40
"""Letters of a keypoint's or a category's name."""


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
