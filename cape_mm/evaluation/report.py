"""Metrics for the reader: a table on the screen, a JSON file on disk."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from ..utils.atomic_write import write_text_atomically
from .results import PCK_KEYS

OVERALL_ROWS = (*PCK_KEYS, 'PCK_valid@0.2', 'mPCK5', 'mPCK4', 'AUC', 'NME', 'EPE')
CONFIDENCE_PARTS = (
    ('mean_confidence', 100, ' %'),
    ('ECE@0.2', 100, ' %'),
    ('Brier@0.2', 1, ''),
    ('AURC@0.2', 1, ''),
    ('visibility_AUROC', 1, ''),
)
COUNT_KEYS = {'num_pairs', 'num_categories', 'num_pairs_dropped'}
"""What every :class:`EpisodePCK` returns, and nothing else does."""
MAX_NAME_WIDTH = 36

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


def shorten(name: str, width: int = MAX_NAME_WIDTH) -> str:
    """A name of at most ``width`` letters."""
    return name if len(name) <= width else f'{name[: width - 3]}...'


def format_table(metrics: Mapping[str, Any]) -> str:
    """Lay out the metrics of :class:`EpisodePCK` as a text table.

    Args:
        metrics: what ``EpisodePCK.evaluate`` returned, without a prefix.

    Returns:
        Lines without a trailing newline: the overall values beside the floors, what
        confidences are worth, one line per category, the pairs scored and dropped. PCK,
        AUC and NME are in percent, EPE in pixels. Other metrics, or those with a
        prefix, are listed as they are, one number per line.
    """
    if not metrics.keys() >= COUNT_KEYS:
        return '\n'.join(_plain_lines(metrics))
    rows = list((metrics.get('per_category') or {}).values())
    listed = rows[0] if rows else metrics
    floors = [key.split('/')[0] for key in listed if key.endswith('/PCK@0.2')]
    blocks = [_overall_block(metrics, floors)]
    if metrics.get('confidence_intervals'):
        blocks.append(_interval_block(metrics))
    if 'mean_confidence' in metrics or 'visibility_AUROC' in metrics:
        blocks.append(_confidence_block(metrics))
    if metrics.get('per_category'):
        blocks.append(_category_block(metrics['per_category'], floors))
    blocks.append(_pair_block(metrics))
    return '\n\n'.join(blocks)


def _plain_lines(metrics: Mapping[str, Any]) -> list[str]:
    scalars = {k: v for k, v in metrics.items() if isinstance(v, (int, float))}
    width = max(map(len, scalars), default=0)
    lines = [f'{key:<{width}}  {value:.6g}' for key, value in scalars.items()]
    for key, value in metrics.items():  # there may be several, each with its prefix
        if key.split('/')[-1] == 'partial' and value:
            lines.append(f'{key.removesuffix("partial")}{value["text"]}')
    return lines or ['the metrics hold no number']


def format_columns(
    rows: Sequence[Sequence[str]],
    headers: Sequence[str],
    num_left: int = 1,
    style: str = 'plain',
) -> str:
    """A table in a format of ``tabulate``, the first columns to the left."""
    text = tabulate(
        rows,
        headers,
        tablefmt=style,
        disable_numparse=True,
        colalign=(['left'] * num_left + ['right'] * len(headers))[: len(headers)],
    )
    return '\n'.join(map(str.rstrip, text.splitlines()))


def _overall_block(metrics: Mapping[str, Any], floors: Sequence[str]) -> str:
    rows = []
    for key in OVERALL_ROWS:
        if key in metrics:
            unit, scale = ('px', 1) if key == 'EPE' else ('%', 100)
            values = [metrics[key], *(metrics.get(f'{name}/{key}') for name in floors)]
            cells = [show_number(value, scale) for value in values]
            rows.append([f'{key} [{unit}]', *cells])
    names = [name.replace('_', ' ') for name in floors]
    return format_columns(rows, ['', 'method', *names])


def _interval_block(metrics: Mapping[str, Any]) -> str:
    """How sure PCK@0.2 is, as the mean over pairs and as that over categories."""
    found = metrics['confidence_intervals']
    rows = []
    for key, name in (
        ('PCK@0.2', 'mean over pairs'),
        ('PCK_macro@0.2', 'mean over categories'),
    ):
        ends = ((found[o] or {}).get(key) for o in ('over_episodes', 'over_categories'))
        rows.append([name, show_number(metrics[key]), *map(show_interval, ends)])
    title = f'PCK@0.2 with {100 * found["level"]:g} % intervals [%]'
    return format_columns(rows, [title, '', 'other episodes', 'other categories'])


def confidence_parts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key and value, as text, of what the confidences are worth."""
    return [
        (key, f'{scale * metrics[key]:.{1 if unit else 3}f}{unit}')
        for key, scale, unit in CONFIDENCE_PARTS
        if not is_missing(metrics.get(key))
    ]


def _confidence_block(metrics: Mapping[str, Any]) -> str:
    parts = [f'{key.replace("_", " ")} {v}' for key, v in confidence_parts(metrics)]
    lines = [', '.join(parts)]
    curve = metrics.get('risk_coverage@0.2')
    if curve:
        listed = ', '.join(
            f'{100 * float(level):.0f} %: {show_number(risk)}'
            for level, risk in curve.items()
        )
        lines.append(f'wrong [%] among the most confident {listed}')
    return '\n'.join(lines)


def _category_block(
    per_category: Mapping[str, Mapping[str, Any]], floors: Sequence[str]
) -> str:
    rows = []
    for name, row in per_category.items():
        cells = [shorten(name), show_number(row['PCK@0.2'])]
        for below in (row.get(f'{floor}/PCK@0.2') for floor in floors):
            cells += [show_number(below), show_gain(row['PCK@0.2'], below)]
        counts = f'{row["num_pairs"]:,}', f'{row["num_pairs_dropped"]:,}'
        rows.append([*cells, show_number(row['mPCK5']), *counts])
    head = ['category (id name)', 'PCK@0.2']
    for floor in floors:
        head += [floor.replace('_', ' '), 'gain']
    return format_columns(rows, [*head, 'mPCK5', 'pairs', 'dropped'])


def _pair_block(metrics: Mapping[str, Any]) -> str:
    first = (
        f'{metrics["num_pairs"]:,} pairs of {metrics["num_categories"]} categories '
        f'scored, {metrics["num_pairs_dropped"]:,} dropped'
    )
    return '\n'.join([first, *describe_gaps(metrics)])


def describe_gaps(metrics: Mapping[str, Any]) -> list[str]:
    """Sentences about pairs that were not scored, or that have nothing to score."""
    lines = []
    if metrics.get('partial'):
        reasons = metrics.get('dropped_by_reason') or {}
        listed = ', '.join(f'{reason}: {num:,}' for reason, num in reasons.items())
        lines.append(
            f'{metrics["partial"]["text"]}{f" ({listed})" if listed else ""}. Do not '
            f'compare this result with published numbers.'
        )
    if metrics.get('num_pairs_empty'):
        lines.append(
            f'{metrics["num_pairs_empty"]:,} scored pairs share no visible keypoint: '
            f'they count 0 in PCK and are left out of PCK_valid'
        )
    return lines


def is_missing(value: float | None) -> bool:
    """A mean over nothing: NaN in Python, null in a metrics file."""
    return value is None or math.isnan(value)


def show_number(value: float | None, scale: float = 100, sign: str = '') -> str:
    """One decimal, by default of a percentage; '-' for a mean over nothing."""
    return '-' if is_missing(value) else f'{scale * value:{sign}.1f}'


def show_gain(value: float | None, floor: float | None, scale: float = 100) -> str:
    """How much a value is above another, with its sign."""
    is_known = not is_missing(value) and not is_missing(floor)
    return show_number(value - floor, scale, '+') if is_known else '-'


def show_interval(ends: Mapping[str, float] | None, scale: float = 100) -> str:
    """Ends of an interval; '-' where there is nothing to draw again."""
    if not ends:
        return '-'
    return ' to '.join(show_number(ends[end], scale) for end in ('low', 'high'))


def write_metrics(metrics: Mapping[str, Any], path: str | Path) -> Path:
    """Write metrics as JSON, so that the file is never half written.

    Args:
        metrics: strings, numbers, and lists and mappings of them; a NaN (a mean over
            nothing) is written as ``null``, since JSON has no NaN.
        path: the file; its folder is made where needed, an older file is replaced.

    Returns:
        The path.

    Raises:
        TypeError: a value is of a type that JSON does not know.
    """
    text = json.dumps(_jsonable(metrics), indent=2, allow_nan=False) + '\n'
    return write_text_atomically(path, text)


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
