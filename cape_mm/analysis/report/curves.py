"""The curves of a report as SVG pictures, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.style import context

from .blocks import Figure
from .reliability import Reliability

METHOD, COPY, MATCHING, GRID = '#1f6fb2', '#c23b22', '#8a5fb0', '#dde1e6'
SIZE = (5.2, 3.4)  # inches
MARGINS = dict(left=0.11, right=0.96, bottom=0.14, top=0.97)
MAX_POINTS = 400
LOOKS = {
    'svg.hashsalt': 'cape_mm',
    'svg.fonttype': 'path',
    'font.size': 9.5,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': GRID,
    'axes.edgecolor': '#99a',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
}


def pck_figure(curve: Mapping[str, Sequence[float]]) -> Figure:
    """PCK over the threshold, with the floors.

    Args:
        curve: ``thresholds``, ``PCK``, ``copy_support/PCK`` and, of a model with a
            matcher, ``matching/PCK`` as fractions.
    """

    def draw(axes: Axes) -> None:
        thresholds = curve['thresholds']
        for key, name, color, dash in (
            ('PCK', 'method', METHOD, '-'),
            ('copy_support/PCK', 'copy support', COPY, '--'),
            ('matching/PCK', 'matching', MATCHING, '-.'),
        ):
            if key in curve:
                values = _percent(curve[key])
                axes.plot(thresholds, values, dash, color=color, label=name)
        axes.axvline(0.2, color='#99a', linewidth=0.8, linestyle=':')
        _label(axes, 'threshold, as a share of max(w, h)', 'PCK [%]')
        axes.set(xlim=(0, thresholds[-1]), ylim=(0, 102))
        axes.legend(loc='lower right')

    caption = 'PCK over the threshold, beside the floors. Dotted: 0.2.'
    return _figure('pck_curve', caption, draw)


def reliability_figure(found: Reliability) -> Figure:
    """How often keypoints of some confidence are right; under it, how many there are.

    Args:
        found: the keypoints by confidence.
    """

    def draw(axes: Axes) -> None:
        is_used = found.count > 0
        edges = np.linspace(0, 1, len(found.count) + 1)
        middle, width = (edges[:-1] + edges[1:]) / 2, 0.92 * np.diff(edges)
        share = found.count / max(found.count.sum(), 1)
        axes.bar(middle, _percent(share), width, color='#d5dbe1', label='keypoints')
        axes.plot([0, 1], [0, 100], '--', color='#99a', linewidth=1, label='ideal')
        axes.plot(
            found.mean_confidence[is_used],
            _percent(found.accuracy[is_used]),
            'o-',
            color=METHOD,
            markersize=4,
            label='right within 0.2',
        )
        _label(axes, 'confidence', '[%]')
        axes.set(xlim=(0, 1), ylim=(0, 102))
        axes.legend(loc='upper left')

    caption = (
        'Reliability: how many keypoints of a confidence are right (line, ideally the '
        'diagonal) and how many there are (bars).'
    )
    return _figure('reliability', caption, draw)


def risk_figure(found: Reliability) -> Figure:
    """How often the most confident keypoints are wrong.

    Args:
        found: the keypoints by confidence.
    """

    def draw(axes: Axes) -> None:
        chosen = _spread(len(found.coverage))
        coverage, risk = found.coverage[chosen], found.risk[chosen]
        axes.plot(_percent(coverage), _percent(risk), color=METHOD, label='method')
        total = 100 * found.risk[-1]
        label = 'no use of the confidence'
        axes.axhline(total, color='#99a', linestyle='--', linewidth=1, label=label)
        _label(axes, 'keypoints kept, most confident first [%]', 'of them wrong [%]')
        top = max(float(_percent(risk).max()), total, 1.0)
        axes.set(xlim=(0, 100), ylim=(0, min(1.3 * top, 102)))
        axes.legend(loc='upper left')

    caption = 'Risk over coverage: keypoints that are off by 0.2 or more.'
    return _figure('risk_coverage', caption, draw)


def _percent(values: Sequence[float] | np.ndarray) -> np.ndarray:
    return 100 * np.asarray(values, np.float64)


def _spread(num_points: int) -> np.ndarray:
    """At most ``MAX_POINTS`` indices, the first and the last among them."""
    return np.unique(np.linspace(0, num_points - 1, MAX_POINTS).round().astype(int))


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _figure(name: str, caption: str, draw: Callable[[Axes], None]) -> Figure:
    """Draw on a canvas of its own: no window, no backend, no state of pyplot."""
    with context(['default', LOOKS]):
        canvas = Canvas(figsize=SIZE)
        canvas.subplots_adjust(**MARGINS)
        draw(canvas.add_subplot())
        file = io.BytesIO()
        canvas.savefig(file, format='svg', metadata=dict(Date=None, Creator=None))
    return Figure(name, file.getvalue(), 'svg', caption)
