"""Curves of several trainings in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..engine.tracking.run_logs import Curve, RunLog
from ..evaluation.report import as_shown, name_with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COMPANIONS = {
    'copy_support': ('copying the support', ':'),
    'matching': ('the matcher', '-.'),
}
"""Drawn beside a metric: prefix of the key, name in the legend, line style."""

NEVER_SMOOTHED = ('lr',)
PANEL_SIZE = (4.6, 3.2)
MAX_COLUMNS = 3


def moving_mean(values: Sequence[float], window: int) -> np.ndarray:
    """Mean over about ``window`` neighbours, half of them on either side.

    Args:
        values: (N,); NaN and infinity are left out.
        window: at least 1; there are fewer neighbours at the ends.

    Returns:
        Means, (N,); NaN where no value of a window is finite.
    """
    array = np.asarray(values, dtype=np.float64)
    is_finite = np.isfinite(array)
    sums = np.concatenate([[0.0], np.cumsum(np.where(is_finite, array, 0.0))])
    counts = np.concatenate([[0], np.cumsum(is_finite)])
    place = np.arange(len(array))
    start = np.maximum(place - window // 2, 0)
    stop = np.minimum(place + (window - 1) // 2 + 1, len(array))
    counted = counts[stop] - counts[start]
    means = np.full(len(array), np.nan)
    return np.divide(sums[stop] - sums[start], counted, out=means, where=counted > 0)


def draw_curves(
    runs: Sequence[RunLog], keys: Sequence[str], labels: Sequence[str], smooth: int = 1
) -> Figure:
    """Draw one panel per key, one colour per run.

    Beside a metric stands, dotted in the run's colour, the floor.

    Args:
        runs: the runs.
        keys: a panel each.
        labels: names of the runs in the legend.
        smooth: points of a moving mean over training values, the raw ones pale behind
            it; 1 draws them as they are. Validations and the learning rate are never
            smoothed.

    Returns:
        A figure that no window shows: save it with ``savefig``.
    """
    # not at the top: matplotlib takes a second, and only this function needs it
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    num_columns = min(MAX_COLUMNS, len(keys))
    num_rows = -(-len(keys) // num_columns)
    size = (PANEL_SIZE[0] * num_columns, PANEL_SIZE[1] * num_rows + 0.25 * len(runs))
    figure = Figure(figsize=size, layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for panel, key in zip(panels, keys):
        _draw_panel(panel, key, runs, smooth)
    for panel in panels[len(keys) :]:
        panel.set_axis_off()
    _add_legend(figure, labels)
    return figure


def _draw_panel(panel: Axes, key: str, runs: Sequence[RunLog], smooth: int) -> None:
    curves = [run.curves.get(key) for run in runs]
    for number, (run, curve) in enumerate(zip(runs, curves)):
        if curve is None:
            continue
        _draw_curve(panel, key, curve, f'C{number % 10}', smooth)
        for prefix, (_, style) in COMPANIONS.items():
            companion = run.curves.get(f'{prefix}/{key}')
            if companion is not None:
                _plot(panel, key, companion, color=f'C{number % 10}', ls=style, lw=1.2)
    _add_style_legend(panel, key, runs)
    panel.set_title(name_with_unit(key), fontsize=10)
    panel.set_xlabel(_axis_name(curves, runs), fontsize=8)
    panel.tick_params(labelsize=8)
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(alpha=0.3)
    if not any(curves):
        panel.text(0.5, 0.5, 'not logged', ha='center', transform=panel.transAxes)


def _draw_curve(panel: Axes, key: str, curve: Curve, color: str, smooth: int) -> None:
    if smooth == 1 or not curve.is_training or key in NEVER_SMOOTHED:
        _plot(panel, key, curve, color=color, lw=1.5)
        return
    _plot(panel, key, curve, color=color, lw=0.8, alpha=0.3)
    mean = Curve(curve.steps, tuple(moving_mean(curve.values, smooth)), True)
    _plot(panel, key, mean, color=color, lw=1.5)


def _plot(panel: Axes, key: str, curve: Curve, **style) -> None:
    values = np.array([as_shown(key, value) for value in curve.values])
    values[~np.isfinite(values)] = np.nan  # a gap
    if len(values) <= 30:  # a lone point has no line
        style.update(marker='.')
    panel.plot(curve.steps, values, **style)


def _axis_name(curves: Sequence[Curve | None], runs: Sequence[RunLog]) -> str:
    if any(curve is not None and curve.is_training for curve in curves):
        return 'iteration'
    return 'epoch' if any(curves) else ''


def _add_style_legend(panel: Axes, key: str, runs: Sequence[RunLog]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color='grey', ls=style, label=name)
        for prefix, (name, style) in COMPANIONS.items()
        if any(f'{prefix}/{key}' in run.curves and key in run.curves for run in runs)
    ]
    if handles:
        own = Line2D([], [], color='grey', label='validation')
        panel.legend(handles=[own, *handles], fontsize=7)


def _add_legend(figure: Figure, labels: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=f'C{number % 10}', label=label)
        for number, label in enumerate(labels)
    ]
    figure.legend(handles=handles, loc='outside upper center', ncols=1, fontsize=9)
