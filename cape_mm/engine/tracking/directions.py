"""How logged values are read: which are better when small, which are percentages."""

from __future__ import annotations

import re

_SMALL_IS_BETTER = re.compile(r'loss|NME|EPE|ECE|Brier|AURC|time|mib|memory|dropped')
_FRACTION = re.compile(r'PCK|AUC|NME')


def is_lower_better(key: str) -> bool:
    """Whether a smaller value of a logged key is the better one, e.g. of ``NME``."""
    return _SMALL_IS_BETTER.search(key) is not None


def as_shown(key: str, value: float) -> float:
    """A metric as people read it: fractions in percent, pixels and losses as they are.

    Args:
        key: a metric's name, prefixes allowed, e.g. ``copy_support/PCK@0.2``.
        value: its value.
    """
    return 100 * value if _FRACTION.search(key) else value


def name_with_unit(key: str) -> str:
    """The key, with ``[%]`` where :func:`as_shown` gives percent."""
    return f'{key} [%]' if _FRACTION.search(key) else key
