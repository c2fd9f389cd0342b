"""Metrics for the reader: a table on the screen, a JSON file on disk."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..atomic_write import write_text_atomically

OVERALL_ROWS = (
    'PCK@0.05',
    'PCK@0.1',
    'PCK@0.15',
    'PCK@0.2',
    'PCK@0.25',
    'PCK_valid@0.2',
    'mPCK5',
    'mPCK4',
    'AUC',
    'NME',
    'EPE',
)
CONFIDENCE_PARTS = (
    ('mean_confidence', 100, ' %'),
    ('ECE@0.2', 100, ' %'),
    ('Brier@0.2', 1, ''),
    ('AURC@0.2', 1, ''),
    ('visibility_AUROC', 1, ''),
)
COUNT_KEYS = {'num_pairs', 'num_categories', 'num_pairs_dropped'}
ROW_KEYS = {'PCK@0.2', 'copy_support/PCK@0.2', 'mPCK5', 'num_pairs'}
MAX_NAME_WIDTH = 36


def format_table(metrics: Mapping[str, Any]) -> str:
    """Lay out the metrics of :class:`EpisodePCK` as a text table.

    Args:
        metrics: what ``EpisodePCK.evaluate`` returned, without a prefix.

    Returns:
        Lines without a trailing newline: the overall values beside the copy-support
        floor, what confidences are worth, one line per category, the pairs scored and
        dropped. PCK, AUC and NME
        are in percent, EPE in pixels. Metrics of another kind, or with a prefix, are
        listed as they are, one number per line.
    """
    if not _is_episode_pck(metrics):
        return '\n'.join(_plain_lines(metrics))
    blocks = [_overall_lines(metrics)]
    if metrics.get('confidence_intervals'):
        blocks.append(_interval_lines(metrics))
    if _has_confidence(metrics):
        blocks.append(_confidence_lines(metrics))
    if metrics.get('per_category'):
        blocks.append(_category_lines(metrics['per_category']))
    blocks.append(_pair_lines(metrics))
    return '\n\n'.join('\n'.join(block) for block in blocks)


def _is_episode_pck(metrics: Mapping[str, Any]) -> bool:
    rows = (metrics.get('per_category') or {}).values()
    return metrics.keys() >= COUNT_KEYS and all(row.keys() >= ROW_KEYS for row in rows)


def _plain_lines(metrics: Mapping[str, Any]) -> list[str]:
    scalars = {k: v for k, v in metrics.items() if isinstance(v, (int, float))}
    width = max(map(len, scalars), default=0)
    lines = [f'{key:<{width}}  {value:.6g}' for key, value in scalars.items()]
    for key, value in metrics.items():  # there may be several, each with its prefix
        if key.split('/')[-1] == 'partial' and value:
            lines.append(f'{key.removesuffix("partial")}{value["text"]}')
    return lines or ['the metrics hold no number']


def _overall_lines(metrics: Mapping[str, Any]) -> list[str]:
    lines = [f'{"":<16}{"method":>10}{"copy support":>16}']
    for key in OVERALL_ROWS:
        if key not in metrics:
            continue
        unit, scale = ('px', 1) if key == 'EPE' else ('%', 100)
        value = _number(metrics[key], scale)
        floor = _number(metrics.get(f'copy_support/{key}'), scale)
        lines.append(f'{f"{key} [{unit}]":<20}{value:>6}{floor:>16}')
    return lines


def _interval_lines(metrics: Mapping[str, Any]) -> list[str]:
    """How sure PCK@0.2 is, as the mean over pairs and as that over categories."""
    found = metrics['confidence_intervals']
    title = f'PCK@0.2 with {100 * found["level"]:g} % intervals [%]'
    lines = [f'{title:<34}{"":>6}{"other episodes":>20}{"other categories":>20}']
    for key, name in (
        ('PCK@0.2', 'mean over pairs'),
        ('PCK_macro@0.2', 'mean over categories'),
    ):
        episodes = _range(found['over_episodes'], key)
        categories = _range(found['over_categories'], key)
        lines.append(
            f'{name:<34}{_number(metrics[key]):>6}{episodes:>20}{categories:>20}'
        )
    return lines


def _range(rows: Mapping[str, Any] | None, key: str) -> str:
    """Ends of an interval; '-' where there is nothing to draw again."""
    if not rows:
        return '-'
    return f'{_number(rows[key]["low"])} to {_number(rows[key]["high"])}'


def _has_confidence(metrics: Mapping[str, Any]) -> bool:
    return 'mean_confidence' in metrics or 'visibility_AUROC' in metrics


def _confidence_lines(metrics: Mapping[str, Any]) -> list[str]:
    parts = []
    for key, scale, unit in CONFIDENCE_PARTS:
        if key in metrics:
            digits = 1 if unit else 3
            value = scale * metrics[key]
            parts.append(f'{key.replace("_", " ")} {value:.{digits}f}{unit}')
    lines = [', '.join(parts)]
    curve = metrics.get('risk_coverage@0.2')
    if curve:
        listed = ', '.join(
            f'{100 * float(level):.0f} %: {_number(risk)}'
            for level, risk in curve.items()
        )
        lines.append(f'wrong [%] among the most confident {listed}')
    return lines


def _category_lines(per_category: Mapping[str, Mapping[str, Any]]) -> list[str]:
    width = min(max(map(len, per_category)), MAX_NAME_WIDTH)
    width = max(width, len('category (id name)'))
    lines = [
        f'{"category (id name)":<{width}}{"PCK@0.2":>10}{"copy support":>14}'
        f'{"gain":>8}{"mPCK5":>8}{"pairs":>8}{"dropped":>9}'
    ]
    for name, row in per_category.items():
        pck, floor = row['PCK@0.2'], row['copy_support/PCK@0.2']
        gain = '-' if _is_missing(pck) else f'{100 * (pck - floor):+.1f}'
        shown = name if len(name) <= width else name[: width - 3] + '...'
        lines.append(
            f'{shown:<{width}}{_number(pck):>10}{_number(floor):>14}{gain:>8}'
            f'{_number(row["mPCK5"]):>8}{row["num_pairs"]:>8,}'
            f'{row.get("num_pairs_dropped", 0):>9,}'
        )
    return lines


def _pair_lines(metrics: Mapping[str, Any]) -> list[str]:
    lines = [
        f'{metrics["num_pairs"]:,} pairs of {metrics["num_categories"]} categories '
        f'scored, {metrics["num_pairs_dropped"]:,} dropped'
    ]
    if metrics.get('num_pairs_empty'):
        lines.append(
            f'{metrics["num_pairs_empty"]:,} scored pairs share no visible keypoint: '
            f'they count 0 in PCK and are left out of PCK_valid'
        )
    if metrics.get('partial'):
        reasons = metrics.get('dropped_by_reason', {})
        listed = ', '.join(f'{reason}: {num:,}' for reason, num in reasons.items())
        lines.append(
            f'{metrics["partial"]["text"]}{f" ({listed})" if listed else ""}. Do not '
            f'compare this result with published numbers.'
        )
    return lines


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _number(value: float | None, scale: float = 100) -> str:
    return '-' if _is_missing(value) else f'{scale * value:.1f}'


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
