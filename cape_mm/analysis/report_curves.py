"""The curves of a report as SVG pictures, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

from ..evaluation.calibration import (
    NUM_ECE_BINS,
    confidence_bins,
    risk_coverage,
)
from ..evaluation.results import CORRECT_THRESHOLD

METHOD, COPY, MATCHING = '#1f6fb2', '#c23b22', '#8a5fb0'
GREY, BARS = '#99a', '#d5dbe1'
SIZE = (5.2, 3.4)  # inches
MAX_POINTS = 400
LOOKS = {
    'svg.hashsalt': 'cape_mm',
    'svg.fonttype': 'path',
    'font.size': 9.5,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': '#dde1e6',
    'axes.edgecolor': GREY,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
}


def pck_curve(curve: Mapping[str, Sequence[float]]) -> bytes:
    """PCK over the threshold, with the floors.

    Args:
        curve: ``thresholds``, ``PCK``, ``copy_support/PCK`` and, of a model with a
            matcher, ``matching/PCK`` as fractions.
    """
    with context(['default', LOOKS]):
        figure, axes = _canvas('threshold, as a share of max(w, h)', 'PCK [%]')
        thresholds = curve['thresholds']
        for key, name, color, dash in (
            ('PCK', 'method', METHOD, '-'),
            ('copy_support/PCK', 'copy support', COPY, '--'),
            ('matching/PCK', 'matching', MATCHING, '-.'),
        ):
            if key in curve:
                heights = 100 * np.asarray(curve[key], float)
                axes.plot(thresholds, heights, dash, color=color, label=name)
        axes.axvline(CORRECT_THRESHOLD, color=GREY, linewidth=0.8, linestyle=':')
        axes.set(xlim=(0, thresholds[-1]), ylim=(0, 102))
        return _to_svg(figure, axes, 'lower right')


def reliability_diagram(confidence: np.ndarray, is_correct: np.ndarray) -> bytes:
    """How often keypoints of some confidence are right, and how many there are."""
    count, sure, right = confidence_bins(confidence, is_correct)
    with context(['default', LOOKS]):
        figure, axes = _canvas('confidence', '[%]')
        middle = (np.arange(NUM_ECE_BINS) + 0.5) / NUM_ECE_BINS
        share = 100 * count / count.sum()
        axes.bar(middle, share, 0.92 / NUM_ECE_BINS, color=BARS, label='keypoints')
        axes.plot([0, 1], [0, 100], '--', color=GREY, linewidth=1, label='ideal')
        used = count > 0
        label = f'right within {CORRECT_THRESHOLD:g}'
        line = sure[used] / count[used], 100 * right[used] / count[used]
        axes.plot(*line, 'o-', color=METHOD, markersize=4, label=label)
        axes.set(xlim=(0, 1), ylim=(0, 102))
        return _to_svg(figure, axes, 'upper left')


def risk_curve(confidence: np.ndarray, is_correct: np.ndarray) -> bytes:
    """How often the most confident keypoints are wrong."""
    coverage, risk = risk_coverage(confidence, ~is_correct)
    chosen = np.linspace(0, len(coverage) - 1, MAX_POINTS).round().astype(int)
    chosen, total = np.unique(chosen), 100 * risk[-1]
    with context(['default', LOOKS]):
        labels = 'keypoints kept, most confident first [%]', 'of them wrong [%]'
        figure, axes = _canvas(*labels)
        line = 100 * coverage[chosen], 100 * risk[chosen]
        axes.plot(*line, color=METHOD, label='method')
        label = 'no use of the confidence'
        axes.axhline(total, color=GREY, linestyle='--', linewidth=1, label=label)
        top = max(float(line[1].max()), total, 1.0)
        axes.set(xlim=(0, 100), ylim=(0, min(1.3 * top, 102)))
        return _to_svg(figure, axes, 'upper left')


def _canvas(x: str, y: str) -> tuple[Figure, Axes]:
    """A canvas of its own: no window, no backend, no state of pyplot."""
    figure = Figure(figsize=SIZE)
    figure.subplots_adjust(left=0.11, right=0.96, bottom=0.14, top=0.97)
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _to_svg(figure: Figure, axes: Axes, legend: str) -> bytes:
    axes.legend(loc=legend)
    file = io.BytesIO()
    figure.savefig(file, format='svg', metadata=dict(Date=None, Creator=None))
    return file.getvalue()
