"""Curves: the smoothing, and what is drawn into which panel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cape_mm.engine.tracking.run_logs import Curve, RunLog
from cape_mm.visualization.training_curves import draw_curves, moving_mean


def test_moving_mean_by_hand():
    values = [1.0, 2.0, 6.0, math.nan, 4.0, math.inf]
    assert moving_mean(values, 1)[[0, 1, 2, 4]].tolist() == [1, 2, 6, 4]
    assert np.isnan(moving_mean(values, 1)[[3, 5]]).all()
    assert moving_mean(values, 3).tolist() == [1.5, 3, 4, 5, 4, 4]
    assert moving_mean([1.0, 3.0], 10).tolist() == [2, 2]


def make_run(name: str, scale: float = 1.0) -> RunLog:
    steps = tuple(range(10, 410, 10))
    noisy = tuple(scale * (2.0 + (-1) ** i) for i in range(40))
    epochs, values = (1, 2), (0.5 * scale, 0.6 * scale)
    return RunLog(
        name,
        {
            'loss': Curve(steps, noisy, is_training=True),
            'lr': Curve(steps, noisy, is_training=True),
            'PCK@0.2': Curve(epochs, values, is_training=False),
            'copy_support/PCK@0.2': Curve(epochs, (0.4, 0.4), is_training=False),
            'matching/PCK@0.2': Curve(epochs, (0.8, 0.9), is_training=False),
        },
    )


def heights(line) -> list[float]:
    return np.round(line.get_ydata(), 6).tolist()


def test_a_panel_per_key_and_a_colour_per_run():
    runs = [make_run('a'), make_run('b', 0.5)]
    figure = draw_curves(runs, ['loss', 'PCK@0.2'], ['a', 'b'])
    loss, pck = figure.axes
    assert (loss.get_title(), pck.get_title()) == ('loss', 'PCK@0.2 [%]')
    assert (loss.get_xlabel(), pck.get_xlabel()) == ('iteration', 'epoch')
    assert [line.get_color() for line in loss.lines] == ['C0', 'C1']
    styles = [(line.get_color(), line.get_linestyle()) for line in pck.lines]
    one = [('C0', '-'), ('C0', ':'), ('C0', '-.')]
    assert styles == one + [('C1', style) for _, style in one]
    assert heights(pck.lines[0]) == [50, 60]
    assert heights(pck.lines[2]) == [80, 90]
    names = [text.get_text() for text in pck.get_legend().get_texts()]
    assert names == ['validation', 'copying the support', 'the matcher']
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'b']


def test_smoothing_is_for_noise_alone():
    figure = draw_curves([make_run('a')], ['loss', 'lr', 'PCK@0.2'], ['a'], smooth=4)
    loss, lr, pck = figure.axes
    raw, smooth = loss.lines
    assert set(heights(raw)) == {1.0, 3.0}
    assert raw.get_alpha() < 1
    assert set(heights(smooth)[4:-4]) == {2.0}
    assert len(lr.lines) == 1
    assert heights(pck.lines[0]) == [50, 60]


def test_a_missing_key_is_said_and_nan_is_a_gap():
    empty = RunLog('a', {'loss': Curve((1, 2, 3), (1.0, math.inf, 2.0), True)})
    figure = draw_curves([empty], ['loss', 'PCK@0.2'], ['a'])
    loss, pck = figure.axes
    assert np.isnan(loss.lines[0].get_ydata()).tolist() == [False, True, False]
    assert [text.get_text() for text in pck.texts] == ['not logged']
    assert pck.get_legend() is None


@pytest.mark.parametrize('num_keys', [1, 3, 4, 7])
def test_any_number_of_panels(num_keys):
    keys = [f'k{i}' for i in range(num_keys)]
    run = RunLog('a', {key: Curve((1, 2), (1.0, 2.0), False) for key in keys})
    figure = draw_curves([run], keys, ['a'])
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in shown] == keys
