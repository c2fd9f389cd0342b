"""Curves: SVG files with the right shape, and no state left behind."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from report_cases import evaluate, make_pair, random_pairs

from cape_mm.analysis.report_curves import (
    pck_curve,
    reliability_diagram,
    risk_curve,
)
from cape_mm.evaluation.calibration import scored_confidences


@pytest.fixture
def drawn(monkeypatch):
    """The lines of every plot, by label."""
    lines = {}
    original = Axes.plot

    def plot(self, x, y, *args, **kwargs):
        lines[kwargs.get('label')] = np.asarray(x), np.asarray(y)
        return original(self, x, y, *args, **kwargs)

    monkeypatch.setattr(Axes, 'plot', plot)
    return lines


def measured(pairs):
    metrics, table = evaluate(pairs)
    return metrics, scored_confidences(table)


def test_pck_curve_holds_both_lines_in_percent(drawn):
    curve = evaluate(random_pairs())[0]['pck_curve']
    content = pck_curve(curve)
    np.testing.assert_allclose(drawn['method'][1], 100 * np.array(curve['PCK']))
    floor = 100 * np.array(curve['copy_support/PCK'])
    np.testing.assert_allclose(drawn['copy support'][1], floor)
    assert ElementTree.fromstring(content).tag.endswith('svg')


def test_empty_bins_are_left_out(drawn):
    pair = make_pair(0, 0, 1, [0.1, 0.3], [0.95, 0.1])
    reliability_diagram(*measured([pair])[1])
    confidence, accuracy = drawn['right within 0.2']
    assert confidence == pytest.approx([0.1, 0.95])
    assert accuracy == pytest.approx([0, 100])


def test_long_curves_are_thinned_but_keep_their_ends(drawn):
    metrics, found = measured(random_pairs(num_keypoints=60))
    assert len(found[0]) > 1000
    content = risk_curve(*found)
    coverage, risk = drawn['method']
    assert len(coverage) <= 400
    last = 100 * metrics['risk_coverage@0.2']['1']
    assert (coverage[-1], risk[-1]) == (100, pytest.approx(last))
    assert len(content) < 80_000
