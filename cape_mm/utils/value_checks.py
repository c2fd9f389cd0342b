"""Checks of plain values that a config sets: one message with name and value each."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from numbers import Integral, Real

from ..errors import ConfigError


def check_at_least(name: str, value: object, lowest: int) -> None:
    """Check a whole number.

    Raises:
        ConfigError: it is none, or below ``lowest``.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    wanted = f'a whole number, at least {lowest}'
    _require(is_whole and value >= lowest, name, wanted, value)


def check_number(name: str, value: object) -> None:
    """Check a number; raises ConfigError if it is none, or not finite."""
    _require(_is_finite(value), name, 'a number', value)


def check_probability(name: str, value: object) -> None:
    """Check a probability; raises ConfigError if it is no number from 0 to 1."""
    is_good = _is_finite(value) and 0 <= value <= 1
    _require(is_good, name, 'a number from 0 to 1', value)


def check_positive(name: str, value: object) -> None:
    """Check a width, a scale or a distance; raises ConfigError if it is not above 0."""
    _require(_is_finite(value) and value > 0, name, 'a number above 0', value)


def check_not_negative(name: str, value: object) -> None:
    """Check a weight, or a width that may vanish; raises ConfigError below 0."""
    _require(_is_finite(value) and value >= 0, name, 'a number of at least 0', value)


def check_range(
    name: str, values: object, highest: float = math.inf
) -> tuple[float, float]:
    """A pair of numbers from a config.

    Raises:
        ConfigError: it is not 0 < low <= high <= ``highest``.
    """
    is_pair = isinstance(values, (list, tuple)) and len(values) == 2
    is_good = is_pair and all(map(_is_finite, values))
    is_good = is_good and 0 < values[0] <= values[1] <= highest
    limit = '' if highest == math.inf else f' <= {highest:g}'
    _require(is_good, name, f'a pair (low, high) with 0 < low <= high{limit}', values)
    return tuple(values)


def check_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Check a choice by name; raises ConfigError if it is none of ``choices``."""
    _require(value in choices, name, f'one of {choices}', value)


def check_options(
    name: str, given: Mapping | None, known: Collection[str] | Callable
) -> dict:
    """Options that were given by name.

    Args:
        name: of the group, for the message.
        given: the options; None is none.
        known: their names, or who takes them all as arguments.

    Returns:
        A copy of ``given``.

    Raises:
        ConfigError: not options by name, or there is no such option.
    """
    _require(
        given is None or isinstance(given, Mapping), name, 'a dict of options', given
    )
    names = inspect.signature(known).parameters if callable(known) else known
    for key in given or {}:
        if key not in names:
            raise ConfigError(
                f'{name} has no option {key!r}. It takes: {", ".join(names)}.'
            )
    return dict(given or {})


def _require(is_good: bool, name: str, wanted: str, value: object) -> None:
    if not is_good:
        raise ConfigError(f'{name} must be {wanted}, got {value!r}')


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
