"""One picture: bars for what is or is not, curves for what has a strength."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..utils.atomic_write import write_bytes_atomically
from .robustness_edits import Edit

NUM_COLUMNS = 4
PANEL = 3.4, 2.9
"""Inches (w, h) of one panel."""
MODEL, CLEAN, FLOOR = '#1f5fa8', '#555555', '#c9682b'
"""Told apart also by line style, and without colour."""

Records = Sequence[Mapping[str, Any]]


def write_plot(result: Mapping[str, Any], chosen: Sequence[Edit], path: Path) -> Path:
    """Draw PCK, the clean run and the copied support under every edit."""
    by_name: dict[str, list] = {}
    for record in result['perturbations']:
        if 'PCK@0.2' in record:
            by_name.setdefault(record['name'], []).append(record)
    single = [r for e in chosen if e.values == (None,) for r in by_name.get(e.name, ())]
    curves = [e for e in chosen if e.values != (None,) and e.name in by_name]
    number = max(bool(single) + len(curves), 1)
    columns, rows = min(number, NUM_COLUMNS), -(-number // NUM_COLUMNS)
    size = max(columns, 2) * PANEL[0], rows * PANEL[1] + 0.7
    figure = Figure(figsize=size, dpi=110, layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for panel in panels[number:]:
        panel.set_axis_off()
    used = iter(panels)
    if single:
        draw_bars(next(used), single, result['clean'])
    for edit in curves:
        draw_curve(next(used), edit, by_name[edit.name], result['clean'])
    for panel in panels[:number]:
        panel.spines[['top', 'right']].set_visible(False)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper center', ncols=3, fontsize=9)
    if result['clean']['num_pairs_dropped']:
        figure.supxlabel('partial data: pairs were dropped', fontsize=8)
    content = io.BytesIO()
    figure.savefig(content, format='png')
    return write_bytes_atomically(path, content.getbuffer(), durable=False)


def draw_bars(panel: Axes, records: Records, clean: Mapping[str, Any]) -> None:
    """One bar per edit without a strength."""
    heights = [100 * record['PCK@0.2'] for record in records]
    places = range(len(records))
    panel.barh(places, heights, 0.55, xerr=_errors(records), color=MODEL, label='model')
    panel.axvline(100 * clean['PCK@0.2'], color=CLEAN, ls='dashed', label='clean run')
    floor = 100 * clean['copy_support/PCK@0.2']
    panel.axvline(floor, color=FLOOR, ls='dotted', label='support copied')
    panel.set_yticks(places, [r['label'].replace(' ', '\n', 1) for r in records])
    panel.invert_yaxis()
    panel.set_xlim(0, 100)
    panel.set_xlabel('PCK@0.2 [%]', fontsize=8)


def draw_curve(
    panel: Axes, edit: Edit, records: Records, clean: Mapping[str, Any]
) -> None:
    """PCK by strength; the clean run stands at the neutral strength."""
    unchanged = {'PCK@0.2': clean['PCK@0.2'], 'difference': 0.0}
    unchanged |= dict(over_categories=None, over_episodes=None)
    points = [(r['value'], r) for r in records] + [(edit.neutral, unchanged)]
    is_falling = edit.values[0] > edit.values[-1]
    points.sort(key=lambda point: point[0], reverse=is_falling)
    rows = [row for _, row in points]
    places = range(len(rows))
    heights = [100 * row['PCK@0.2'] for row in rows]
    panel.errorbar(
        places, heights, _errors(rows), color=MODEL, marker='o', ms=4, label='model'
    )
    panel.axhline(100 * clean['PCK@0.2'], color=CLEAN, ls='dashed', label='clean run')
    floor = 100 * clean['copy_support/PCK@0.2']
    panel.axhline(floor, color=FLOOR, ls='dotted', label='support copied')
    names = ['clean' if value == edit.neutral else f'{value:g}' for value, _ in points]
    panel.set_xticks(places, names)
    panel.set_ylim(0, 100)
    panel.set_xlabel(edit.axis, fontsize=8)
    panel.set_ylabel('PCK@0.2 [%]', fontsize=8)


def _errors(rows: Records) -> list[list[float]]:
    """Ends of the change's interval around its value, downwards and upwards."""
    ends = []
    for row in rows:
        change = row['difference']
        spread = row['over_categories'] or row['over_episodes']
        low, high = (spread['low'], spread['high']) if spread else (change, change)
        # a percentile interval may leave its own value out
        ends.append((100 * max(0.0, change - low), 100 * max(0.0, high - change)))
    return [list(side) for side in zip(*ends)]
