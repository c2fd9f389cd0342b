"""Numbers of the metrics as a reader sees them; a value that is not there is a dash."""

from __future__ import annotations

import math
from collections.abc import Mapping

DASH = '-'


def is_missing(value: float | None) -> bool:
    """Whether there is no number: NaN in Python, null in a metrics file."""
    return value is None or math.isnan(value)


def percent(value: float | None) -> str:
    """A fraction as percent with one digit."""
    return DASH if is_missing(value) else f'{100 * value:.1f}'


def pixels(value: float | None) -> str:
    """A length in pixels with one digit."""
    return DASH if is_missing(value) else f'{value:.1f}'


def difference(value: float | None, other: float | None, scale: float = 100) -> str:
    """How much a value is above another, with its sign."""
    if is_missing(value) or is_missing(other):
        return DASH
    return f'{scale * (value - other):+.1f}'


def interval(ends: Mapping[str, float] | None, scale: float = 100) -> str:
    """Both ends of a confidence interval."""
    if not ends or is_missing(ends.get('low')) or is_missing(ends.get('high')):
        return DASH
    return f'{scale * ends["low"]:.1f} to {scale * ends["high"]:.1f}'


def share(value: float | None) -> float | None:
    """A fraction to draw, or None."""
    return None if is_missing(value) else min(max(float(value), 0.0), 1.0)
