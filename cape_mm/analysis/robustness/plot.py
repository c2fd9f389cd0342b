"""One picture: bars for what is or is not, curves for what has a strength."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...utils.atomic_write import write_bytes_atomically
from .catalogue import Perturbation
from .report import FILE_STEM, uncertainty_of

NUM_COLUMNS = 4
PANEL = 3.4, 2.9
"""Inches (w, h) of one panel."""
MODEL, CLEAN, FLOOR = '#1f5fa8', '#555555', '#c9682b'
"""Told apart also by line style, and without colour."""

Records = Sequence[Mapping[str, Any]]


def write_plot(
    result: Mapping[str, Any], chosen: Sequence[Perturbation], folder: Path
) -> Path:
    """Draw PCK, the clean run and the copied support under every perturbation."""
    by_name: dict[str, list] = {}
    for record in result['perturbations']:
        if 'PCK@0.2' in record:
            by_name.setdefault(record['name'], []).append(record)
    single = [r for e in chosen if not e.is_curve for r in by_name.get(e.name, ())]
    curves = [e for e in chosen if e.is_curve and e.name in by_name]
    figure, panels = _make_panels(bool(single) + len(curves))
    panels = iter(panels)
    if single:
        draw_bars(next(panels), single)
    for entry in curves:
        draw_curve(next(panels), entry, by_name[entry.name], result['clean'])
    _add_legend(figure, result)
    content = io.BytesIO()
    figure.savefig(content, format='png')
    path = folder / f'{FILE_STEM}.png'
    return write_bytes_atomically(path, content.getbuffer(), durable=False)


def _make_panels(number: int) -> tuple[Figure, list[Axes]]:
    columns = min(max(number, 1), NUM_COLUMNS)
    rows = max(1, -(-number // columns))
    size = max(columns, 2) * PANEL[0], rows * PANEL[1] + 0.7
    figure = Figure(figsize=size, dpi=110, layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in axes[number:]:
        unused.set_axis_off()
    for panel in axes[:number]:
        panel.spines[['top', 'right']].set_visible(False)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
        panel.set_axisbelow(True)
    return figure, axes[:number]


def draw_bars(panel: Axes, records: Records) -> None:
    """One bar per perturbation without a strength."""
    places = range(len(records))
    panel.barh(
        places,
        [100 * r['PCK@0.2'] for r in records],
        xerr=_errors(records),
        height=0.55,
        color=MODEL,
        alpha=0.75,
        error_kw=dict(lw=1.2, capsize=2),
    )
    for key, color, style in (
        ('clean', CLEAN, 'dashed'),
        ('copy_support/PCK@0.2', FLOOR, 'dotted'),
    ):
        for place, record in zip(places, records):
            value = 100 * record[key]
            panel.vlines(value, place - 0.4, place + 0.4, color, style, lw=1.8)
    panel.set_yticks(places, [_wrap(r['label']) for r in records])
    panel.invert_yaxis()
    panel.set_xlim(0, 100)
    panel.set_xlabel('PCK@0.2 [%]', fontsize=8)
    panel.grid(axis='y', visible=False)


def _wrap(label: str) -> str:
    head, _, tail = label.rpartition(' ')
    return f'{head}\n{tail}' if len(label) > 14 else label


def draw_curve(
    panel: Axes, entry: Perturbation, records: Records, clean: Mapping[str, Any]
) -> None:
    """PCK by strength; the clean run stands at the neutral strength."""
    points = [(r['value'], r) for r in records]
    if entry.neutral is not None:
        unchanged = dict(clean, clean=clean['PCK@0.2'], difference=0.0)
        points.append((entry.neutral, unchanged))
        is_falling = len(entry.values) > 1 and entry.values[0] > entry.values[1]
        points.sort(key=lambda point: point[0], reverse=is_falling)
    rows = [row for _, row in points]
    places = range(len(rows))
    panel.errorbar(
        places,
        [100 * row['PCK@0.2'] for row in rows],
        yerr=_errors(rows),
        color=MODEL,
        marker='o',
        ms=4,
        capsize=2,
        lw=1.6,
    )
    lines = (('clean', CLEAN, 'dashed'), ('copy_support/PCK@0.2', FLOOR, 'dotted'))
    for key, color, style in lines:
        heights = [100 * row[key] for row in rows]
        panel.plot(places, heights, color=color, ls=style, lw=1.6)
    labels = [
        'clean' if value == entry.neutral else f'{value:g}' for value, _ in points
    ]
    panel.set_xticks(places, labels)
    panel.set_ylim(0, 100)
    panel.set_xlabel(entry.axis, fontsize=8)
    panel.set_ylabel('PCK@0.2 [%]', fontsize=8)


def _errors(rows: Records) -> list[list[float]]:
    """Ends of the change's interval around its value, downwards and upwards."""
    ends = []
    for row in rows:
        spread = uncertainty_of(row) or dict.fromkeys(
            ('low', 'high'), row['difference']
        )
        change = row['difference']
        ends.append((change - spread['low'], spread['high'] - change))
    # a percentile interval may leave its own value out
    return [[100 * max(0.0, end) for end in side] for side in zip(*ends)]


def _add_legend(figure: Figure, result: Mapping[str, Any]) -> None:
    entries = (
        ('model, with the interval of the change', MODEL, 'solid'),
        ('clean run on the same keypoints', CLEAN, 'dashed'),
        ('support copied', FLOOR, 'dotted'),
    )
    handles = [
        Line2D([], [], color=color, ls=style, lw=1.8, label=label)
        for label, color, style in entries
    ]
    figure.legend(
        handles=handles, loc='outside upper center', ncols=3, fontsize=9, frameon=False
    )
    if result['clean']['num_pairs_dropped']:
        figure.supxlabel('partial data: pairs were dropped', fontsize=8)
