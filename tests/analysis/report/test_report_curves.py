"""Curves: SVG files with the right shape, and no state left behind."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from report_cases import evaluate, make_pair, random_pairs

from cape_mm.analysis.report.content import build_report
from cape_mm.analysis.report.curves import pck_figure, reliability_figure, risk_figure
from cape_mm.analysis.report.html import to_html
from cape_mm.analysis.report.markdown import to_markdown
from cape_mm.analysis.report.reliability import measure_reliability


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
    evaluation = evaluate(pairs)
    return evaluation.metrics, measure_reliability(evaluation.table, evaluation.entries)


def test_pck_curve_holds_both_lines_in_percent(drawn):
    curve = evaluate(random_pairs()).metrics['pck_curve']
    figure = pck_figure(curve)
    np.testing.assert_allclose(drawn['method'][1], 100 * np.array(curve['PCK']))
    floor = 100 * np.array(curve['copy_support/PCK'])
    np.testing.assert_allclose(drawn['copy support'][1], floor)
    assert ElementTree.fromstring(figure.content).tag.endswith('svg')


def test_empty_bins_are_left_out(drawn):
    found = measured([make_pair(0, 0, 1, [0.1, 0.3], [0.95, 0.1])])[1]
    reliability_figure(found)
    confidence, accuracy = drawn['right within 0.2']
    assert confidence == pytest.approx([0.1, 0.95])
    assert accuracy == pytest.approx([0, 100])


def test_long_curves_are_thinned_but_keep_their_ends(drawn):
    found = measured(random_pairs(num_keypoints=60))[1]
    assert len(found.coverage) > 1000
    figure = risk_figure(found)
    coverage, risk = drawn['method']
    assert len(coverage) <= 400
    assert (coverage[-1], risk[-1]) == (100, 100 * found.risk[-1])
    assert coverage[0] == 100 * found.coverage[0]
    assert len(figure.content) < 80_000


def test_nothing_wrong_and_nothing_right():
    for distance in (0.01, 0.9):
        found = measured([make_pair(0, 0, 1, [distance], [0.5])])[1]
        for draw in (reliability_figure, risk_figure):
            ElementTree.fromstring(draw(found).content)


def test_settings_of_the_reader_neither_matter_nor_change():
    curve = evaluate(random_pairs()).metrics['pck_curve']
    expected = pck_figure(curve).content
    with matplotlib.rc_context({'font.size': 30, 'axes.facecolor': 'black'}):
        assert pck_figure(curve).content == expected
        assert matplotlib.rcParams['font.size'] == 30


def test_no_window_system_is_touched():
    pck_figure(evaluate(random_pairs()).metrics['pck_curve'])
    pyplot = sys.modules.get('matplotlib.pyplot')
    assert pyplot is None or not pyplot.get_fignums()


def test_same_input_gives_the_same_bytes():
    first, second = (build_report(evaluate(random_pairs())) for _ in range(2))
    assert to_html(first) == to_html(second)
    assert to_markdown(first) == to_markdown(second)
    later = build_report(evaluate(random_pairs(), created='LATER'))
    stamp = '2026-01-02 03:04:05 +0000'
    assert to_html(later) == to_html(first).replace(stamp, 'LATER')
