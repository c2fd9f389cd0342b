"""The best and the last values of several runs as a text table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .directions import as_shown, is_lower_better, name_with_unit
from .run_logs import Curve, RunLog

MAX_NAME_WIDTH = 40
NO_BEST = ('lr', 'grad_norm')
"""Keys of which no value is better than another."""


@dataclass(frozen=True)
class BestValue:
    """The best of a curve.

    Attributes:
        value: NaN where no value is finite, or none is better than another.
        step: where it was reached.
        last: the last value.
        last_step: its step.
    """

    value: float
    step: float
    last: float
    last_step: float


def find_best(key: str, curve: Curve) -> BestValue:
    """The best value of a curve, the first of equals."""
    pairs = list(zip(curve.values, curve.steps))
    finite = [pair for pair in pairs if math.isfinite(pair[0])]
    last, last_step = pairs[-1]
    if not finite or key.split('/')[-1] in NO_BEST:
        return BestValue(math.nan, last_step, last, last_step)
    sign = 1 if is_lower_better(key) else -1
    value, step = min(finite, key=lambda pair: (sign * pair[0], pair[1]))
    return BestValue(value, step, last, last_step)


def format_best_values(
    runs: Sequence[RunLog], keys: Sequence[str], labels: Sequence[str]
) -> str:
    """A line per run and key: best value and its step, last value and its step.

    Args:
        runs: the runs.
        keys: what to list; '-' stands where a run has no such key.
        labels: names of the runs.
    """
    shown = [_shorten(label) for label in labels]
    width = max(map(len, [*shown, 'run']))
    key_width = max(len(name_with_unit(key)) for key in [*keys, 'key'])
    head = f'{"run":<{width}}  {"key":<{key_width}}'
    lines = [f'{head}{"best":>12}{"at":>10}{"last":>12}{"at":>10}']
    for label, run in zip(shown, runs):
        for key in keys:
            start = f'{label:<{width}}  {name_with_unit(key):<{key_width}}'
            curve = run.curves.get(key)
            cells = ('-',) * 4 if curve is None else _cells(key, curve)
            best, at, last, last_at = cells
            lines.append(f'{start}{best:>12}{at:>10}{last:>12}{last_at:>10}')
    return '\n'.join(lines)


def _cells(key: str, curve: Curve) -> tuple[str, str, str, str]:
    best = find_best(key, curve)
    has_best = not math.isnan(best.value)
    return (
        f'{as_shown(key, best.value):.4g}' if has_best else '-',
        f'{best.step:.0f}' if has_best else '-',
        f'{as_shown(key, best.last):.4g}',
        f'{best.last_step:.0f}',
    )


def _shorten(label: str) -> str:
    """A long name without its beginning, where the names of runs are alike."""
    return (
        label if len(label) <= MAX_NAME_WIDTH else '...' + label[3 - MAX_NAME_WIDTH :]
    )
