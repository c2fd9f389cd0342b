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
    if not is_whole or value < lowest:
        raise ConfigError(
            f'{name} must be a whole number, at least {lowest}, got {value!r}'
        )


def check_number(name: str, value: object) -> None:
    """Check a number.

    Raises:
        ConfigError: it is none, or not finite.
    """
    if not _is_finite(value):
        raise ConfigError(f'{name} must be a number, got {value!r}')


def check_share(name: str, value: object) -> None:
    """Check a probability.

    Raises:
        ConfigError: it is no number from 0 to 1.
    """
    if not (_is_finite(value) and 0 <= value <= 1):
        raise ConfigError(f'{name} must be a number from 0 to 1, got {value!r}')


def check_positive(name: str, value: object) -> None:
    """Check a width, a scale or a distance.

    Raises:
        ConfigError: it is no finite number above 0.
    """
    if not (_is_finite(value) and value > 0):
        raise ConfigError(f'{name} must be a number above 0, got {value!r}')


def check_not_negative(name: str, value: object) -> None:
    """Check a weight, or a width that may vanish.

    Raises:
        ConfigError: it is no finite number from 0 on.
    """
    if not (_is_finite(value) and value >= 0):
        raise ConfigError(f'{name} must be a number of at least 0, got {value!r}')


def check_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Check a choice by name.

    Raises:
        ConfigError: it is none of ``choices``.
    """
    if value not in choices:
        raise ConfigError(f'{name} must be one of {choices}, got {value!r}')


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
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f'{name} must be a dict of options, got {given!r}')
    names = inspect.signature(known).parameters if callable(known) else known
    for key in given or {}:
        if key not in names:
            raise ConfigError(
                f'{name} has no option {key!r}. It takes: {", ".join(names)}.'
            )
    return dict(given or {})


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
