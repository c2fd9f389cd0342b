"""Curves of several runs as a picture, and their best values as a table."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..engine.tracking.run_logs import Curve, RunLog, read_run
from ..errors import ConfigError
from ..evaluation.report import (
    as_shown,
    format_columns,
    is_lower_better,
    name_with_unit,
)
from ..utils.atomic_write import try_folder
from ..visualization.contact_sheet import write_png
from ..visualization.training_curves import draw_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_KEYS = ('loss', 'lr', 'grad_norm', 'PCK@0.2', 'NME', 'episodes_per_sec')
"""Drawn where at least one run has them."""
DPI = 120
NO_BEST = ('lr', 'grad_norm')
"""Keys of which no value is better than another."""
MAX_NAME_WIDTH = 40


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
        raise ConfigError(f'--out must name a .png file, got {out}')
    if smooth < 1:
        raise ConfigError(f'--smooth must be at least 1, got {smooth}')
    runs = [read_run(run_dir) for run_dir in run_dirs]
    try_folder(out.parent)
    keys = choose_keys(runs, keys)
    labels = name_runs(runs, run_dirs)
    for run, label in zip(runs, labels):
        for note in describe_gaps(run, keys):
            print(f'{label}: {note}')
    figure = draw_curves(runs, keys, labels, smooth)
    write_png(out, _rasterise(figure))
    print(format_best_values(runs, keys, labels))
    print(f'curves: {out}')
    return out


def choose_keys(runs: Sequence[RunLog], keys: Sequence[str] | None) -> list[str]:
    """The keys that at least one run has.

    Raises:
        ConfigError: no run has a key that was asked for.
    """
    found = {key: None for run in runs for key in run.curves}
    if keys is None:
        default = [key for key in DEFAULT_KEYS if key in found]
        return default or list(found)[: len(DEFAULT_KEYS)]
    for key in keys:
        if key not in found:
            near = difflib.get_close_matches(key, found, n=1)
            hint = f' Did you mean {near[0]!r}?' if near else ''
            raise ConfigError(
                f'--keys: no run has logged {key!r}.{hint} There are: '
                f'{", ".join(found)}'
            )
    return list(dict.fromkeys(keys))


def name_runs(runs: Sequence[RunLog], run_dirs: Sequence[str | Path]) -> list[str]:
    """The runs' own names, or their paths where two have the same name."""
    counts = Counter(run.name for run in runs)
    return [
        run.name if counts[run.name] == 1 else str(run_dir)
        for run, run_dir in zip(runs, run_dirs)
    ]


def describe_gaps(run: RunLog, keys: Sequence[str]) -> list[str]:
    """What a reader of the curves should know about a run's logs."""
    notes = []
    if run.num_damaged:
        notes.append(f'{run.num_damaged} damaged line(s) left out')
    if run.num_sessions > 1:
        notes.append(
            f'{run.num_sessions} sessions joined, {run.num_replaced} row(s) of an '
            f'earlier one computed again by a later one'
        )
    missing = [key for key in keys if key not in run.curves]
    if missing:
        notes.append(f'has not logged {", ".join(missing)}')
    return notes


def _rasterise(figure: Figure) -> np.ndarray:
    """The figure as a BGR image, uint8 (H, W, 3)."""
    figure.set_dpi(DPI)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., 2::-1]


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


def format_best_values(
    runs: Sequence[RunLog], keys: Sequence[str], labels: Sequence[str]
) -> str:
    """A line per run and key: best value and its step, last value and its step.

    Args:
        runs: the runs.
        keys: what to list; '-' stands where a run has no such key.
        labels: names of the runs.
    """
    rows = []
    for label, run in zip(labels, runs):
        # the beginnings of long names are alike
        name = label if len(label) <= MAX_NAME_WIDTH else f'...{label[-37:]}'
        for key in keys:
            curve = run.curves.get(key)
            cells = ['-'] * 4
            if curve is not None:
                best, last = find_best(key, curve), (curve.values[-1], curve.steps[-1])
                cells = [*_cells(key, best), *_cells(key, last)]
            rows.append([name, name_with_unit(key), *cells])
    head = ['run', 'key', 'best', 'at', 'last', 'at']
    return format_columns(rows, head, num_left=2)


def _cells(key: str, point: tuple[float, float] | None) -> list[str]:
    if point is None:
        return ['-', '-']
    return [f'{as_shown(key, point[0]):.4g}', f'{point[1]:.0f}']
