"""Curves of several trainings in one picture, and their best values as a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import ConfigError
from ..evaluation.report import (
    as_shown,
    format_columns,
    is_lower_better,
    name_with_unit,
)
from ..utils.atomic_write import replacing, try_folder
from ..utils.value_checks import check_at_least
from .run_logs import Curve, RunLog, read_run

DEFAULT_KEYS = ('loss', 'lr', 'grad_norm', 'PCK@0.2', 'NME', 'episodes_per_sec')
"""Drawn where at least one run has them."""
COMPANIONS = {
    'copy_support': (':', 'copying the support'),
    'matching': ('-.', 'the matcher'),
}
"""Drawn beside a metric: prefix of its key, line style, name in the legend."""
NO_BEST = ('lr', 'grad_norm')
"""Keys of which no value is better than another."""
PANEL_SIZE = (4.6, 3.2)
MAX_COLUMNS = 3


def plot_logs(
    run_dirs: Sequence[str | Path],
    out: str | Path,
    keys: Sequence[str] | None = None,
    smooth: int = 1,
) -> Path:
    """Draw the logs of runs into one PNG and print a table of their best values.

    Args:
        run_dirs: work directories, or ``scalars.json`` files.
        out: the picture, ``.png``.
        keys: what to draw; None draws :data:`DEFAULT_KEYS`.
        smooth: points of a moving mean over training values.

    Returns:
        The picture's path.

    Raises:
        MissingDataError: a run has no readable logs.
        ConfigError: an argument without meaning, a key that no run has, or a picture
            that can't be written.
    """
    out = Path(out)
    if out.suffix.lower() != '.png':
        raise ConfigError(f'out must name a .png file, got {out}')
    check_at_least('smooth', smooth, 1)
    runs = [read_run(run_dir) for run_dir in run_dirs]
    try_folder(out.parent)
    found = list(dict.fromkeys(key for run in runs for key in run.curves))
    for key in keys or ():
        if key not in found:
            raise ConfigError(
                f'keys: no run has logged {key!r}. There are: {", ".join(found)}'
            )
    keys = keys or [key for key in DEFAULT_KEYS if key in found] or found
    counts = Counter(run.name for run in runs)
    for run, run_dir in zip(runs, run_dirs):
        if counts[run.name] > 1:
            run.name = str(run_dir)
        missing = [key for key in keys if key not in run.curves]
        notes = run.notes + [f'has not logged {", ".join(missing)}'] * bool(missing)
        for note in notes:
            print(f'{run.name}: {note}')
    with replacing(out) as partial:
        draw_curves(runs, keys, smooth).savefig(partial, format='png', dpi=120)
    print(format_best_values(runs, keys))
    print(f'curves: {out}')
    return out


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
    full = np.ones(window)
    start = (window - 1) // 2  # of the full convolution, (N + window - 1,)
    sums, counts = (
        np.convolve(part, full)[start : start + len(array)]
        for part in (np.where(is_finite, array, 0.0), is_finite)
    )
    means = np.full(len(array), np.nan)
    return np.divide(sums, counts, out=means, where=counts > 0.5)


def draw_curves(runs: Sequence[RunLog], keys: Sequence[str], smooth: int = 1) -> Figure:
    """Draw one panel per key, one colour per run.

    Beside a metric stand, dotted in the run's colour, its floors.

    Args:
        runs: the runs.
        keys: a panel each.
        smooth: points of a moving mean over training values, the raw ones pale behind
            it; 1 draws them as they are. Validations and the learning rate are never
            smoothed.

    Returns:
        A figure that no window shows: save it with ``savefig``.
    """
    num_columns = min(MAX_COLUMNS, len(keys))
    num_rows = -(-len(keys) // num_columns)
    size = (PANEL_SIZE[0] * num_columns, PANEL_SIZE[1] * num_rows + 0.25 * len(runs))
    figure = Figure(figsize=size, layout='constrained')
    panels = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for panel, key in zip(panels, keys):
        _draw_panel(panel, key, runs, smooth)
    for panel in panels[len(keys) :]:
        panel.set_axis_off()
    lines = [
        panels[0].plot([], [], color=f'C{number % 10}', label=run.name)[0]
        for number, run in enumerate(runs)
    ]
    figure.legend(handles=lines, loc='outside upper center', ncols=1, fontsize=9)
    return figure


def _draw_panel(panel: Axes, key: str, runs: Sequence[RunLog], smooth: int) -> None:
    x_label, styles = '', {}
    for number, run in enumerate(runs):
        curve, color = run.curves.get(key), f'C{number % 10}'
        if curve is None:
            continue
        x_label = 'iteration' if curve.is_training else 'epoch'
        if smooth > 1 and curve.is_training and key != 'lr':
            _plot(panel, key, curve, color=color, linewidth=0.8, alpha=0.3)
            means = tuple(moving_mean(curve.values, smooth))
            curve = Curve(curve.steps, means, True)
        _plot(panel, key, curve, color=color)
        for prefix, (style, name) in COMPANIONS.items():
            floor = run.curves.get(f'{prefix}/{key}')
            if floor is not None:
                _plot(panel, key, floor, color=color, linestyle=style, linewidth=1.2)
                styles[name] = style
    if styles:
        lines = [
            panel.plot([], [], color='grey', linestyle=style, label=name)[0]
            for name, style in {'validation': '-', **styles}.items()
        ]
        panel.legend(handles=lines, fontsize=7)
    panel.set_title(name_with_unit(key), fontsize=10)
    panel.set_xlabel(x_label, fontsize=8)
    panel.tick_params(labelsize=8)
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(alpha=0.3)


def _plot(panel: Axes, key: str, curve: Curve, **style) -> None:
    values = np.array([as_shown(key, value) for value in curve.values])
    values[~np.isfinite(values)] = np.nan  # a gap
    if len(values) <= 30:  # a lone point has no line
        style.update(marker='.')
    panel.plot(curve.steps, values, **style)


def find_best(key: str, curve: Curve) -> tuple[float, float] | None:
    """Best value of a curve and its step, the first of equals.

    None where no value is finite, or none is better than another.
    """
    pairs = zip(curve.values, curve.steps)
    finite = [pair for pair in pairs if math.isfinite(pair[0])]
    if not finite or key.split('/')[-1] in NO_BEST:
        return None
    sign = 1 if is_lower_better(key) else -1
    return min(finite, key=lambda pair: (sign * pair[0], pair[1]))


def format_best_values(runs: Sequence[RunLog], keys: Sequence[str]) -> str:
    """A line per run and key: best value and its step, last value and its step.

    Args:
        runs: the runs.
        keys: what to list; '-' stands where a run has no such key.
    """
    rows = []
    for run in runs:
        for key in keys:
            curve, points = run.curves.get(key), (None, None)
            if curve is not None:
                points = find_best(key, curve), (curve.values[-1], curve.steps[-1])
            cells = ['-'] * 4
            for place, point in enumerate(points):
                if point is not None:
                    shown = f'{as_shown(key, point[0]):.4g}', f'{point[1]:.0f}'
                    cells[2 * place : 2 * place + 2] = shown
            rows.append([run.name, name_with_unit(key), *cells])
    head = ['run', 'key', 'best', 'at', 'last', 'at']
    return format_columns(rows, head, num_left=2)
