"""The picture and the table of several runs."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from training_logs import SESSIONS, write_run, write_session

from cape_mm.analysis.plot_logs import (
    DEFAULT_KEYS,
    draw_curves,
    find_best,
    moving_mean,
    plot_logs,
)
from cape_mm.analysis.run_logs import Curve, RunLog
from cape_mm.errors import ConfigError, MissingDataError


def test_two_runs(tmp_path, capsys):
    runs = [write_run(tmp_path / 'a'), write_run(tmp_path / 'b', best=0.7)]
    out = plot_logs(runs, tmp_path / 'new/curves.png')
    picture = cv2.imread(str(out))
    assert picture.shape[1] > picture.shape[0] > 300
    assert picture.std() > 5
    text = capsys.readouterr().out
    rows = [line.split() for line in text.splitlines()]
    assert ['a', 'PCK@0.2', '[%]', '60', '2', '50', '3'] in rows
    assert ['b', 'PCK@0.2', '[%]', '70', '2', '60', '3'] in rows
    assert ['b', 'NME', '[%]', '30', '2', '40', '3'] in rows
    assert 'grad_norm' not in text  # by default only what there is
    assert rows[-1] == ['curves:', str(out)]
    assert [path.name for path in out.parent.iterdir()] == ['curves.png']


def test_keys(tmp_path, capsys):
    run = write_run(tmp_path / 'a')
    with pytest.raises(ConfigError, match="'PCK@0.3'. There are: lr, loss, "):
        plot_logs([run], tmp_path / 'c.png', ['PCK@0.3'])
    assert not (tmp_path / 'c.png').exists()
    write_session(tmp_path / 'b', SESSIONS[0], [{'error': 1.0, 'step': 1}])
    plot_logs([tmp_path / 'b'], tmp_path / 'c.png')
    assert 'error' in capsys.readouterr().out
    assert 'error' not in DEFAULT_KEYS


def test_arguments_without_meaning(tmp_path):
    run = write_run(tmp_path / 'a')
    with pytest.raises(ConfigError, match='must name a .png file'):
        plot_logs([run], tmp_path / 'c.pdf')
    with pytest.raises(ConfigError, match='at least 1, got 0'):
        plot_logs([run], tmp_path / 'c.png', smooth=0)
    with pytest.raises(MissingDataError):
        plot_logs([run, tmp_path / 'none'], tmp_path / 'c.png')
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='no file can be written there'):
        plot_logs([run], tmp_path / 'file/c.png')


def curve(*values: float) -> Curve:
    return Curve(tuple(range(1, len(values) + 1)), values, is_training=False)


def test_best_is_the_first_of_equals_and_no_nan():
    best = find_best('PCK@0.2', curve(0.1, math.nan, 0.6, math.inf, 0.6, 0.2))
    assert best == (0.6, 3)
    assert find_best('NME', curve(0.3, 0.1, 0.1)) == (0.1, 2)
    assert find_best('loss', curve(math.nan, math.inf)) is None
    assert find_best('lr', curve(0.1)) is None


def test_moving_mean_by_hand():
    values = [1.0, 2.0, 6.0, math.nan, 4.0, math.inf]
    assert moving_mean(values, 1)[[0, 1, 2, 4]].tolist() == [1, 2, 6, 4]
    assert np.isnan(moving_mean(values, 1)[[3, 5]]).all()
    np.testing.assert_allclose(moving_mean(values, 3), [1.5, 3, 4, 5, 4, 4])
    assert moving_mean([1.0, 3.0], 10).tolist() == [2, 2]


def make_run(name: str, scale: float = 1.0) -> RunLog:
    steps = tuple(range(10, 410, 10))
    noisy = tuple(scale * (2.0 + (-1) ** i) for i in range(40))
    return RunLog(
        name,
        {
            'loss': Curve(steps, noisy, is_training=True),
            'lr': Curve(steps, noisy, is_training=True),
            'PCK@0.2': curve(0.5 * scale, 0.6 * scale),
            'copy_support/PCK@0.2': curve(0.4, 0.4),
            'matching/PCK@0.2': curve(0.8, 0.9),
        },
    )


def heights(panel) -> list[list[float]]:
    """Of all lines that have points."""
    lines = [np.round(line.get_ydata(), 6).tolist() for line in panel.lines]
    return [line for line in lines if line]


def test_a_panel_per_key_and_a_colour_per_run():
    figure = draw_curves([make_run('a'), make_run('b', 0.5)], ['PCK@0.2', 'loss'])
    pck, loss = figure.axes[:2]
    assert (loss.get_title(), pck.get_title()) == ('loss', 'PCK@0.2 [%]')
    assert (loss.get_xlabel(), pck.get_xlabel()) == ('iteration', 'epoch')
    assert [line.get_color() for line in loss.lines] == ['C0', 'C1']
    styles = [(line.get_color(), line.get_linestyle()) for line in pck.lines[:6]]
    assert styles == [(c, style) for c in ('C0', 'C1') for style in ('-', ':', '-.')]
    assert heights(pck)[:3] == [[50, 60], [40, 40], [80, 90]]
    names = [text.get_text() for text in pck.get_legend().get_texts()]
    assert names == ['validation', 'copying the support', 'the matcher']
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'b']


def test_smoothing_is_for_noise_alone_and_nan_is_a_gap():
    figure = draw_curves([make_run('a')], ['loss', 'lr', 'PCK@0.2'], smooth=4)
    loss, lr, pck = figure.axes
    raw, smooth = heights(loss)
    assert set(raw) == {1.0, 3.0}
    assert loss.lines[0].get_alpha() < 1
    assert set(smooth[4:-4]) == {2.0}
    assert len(heights(lr)) == 1
    assert heights(pck)[0] == [50, 60]
    gap = RunLog('a', {'loss': Curve((1, 2, 3), (1.0, math.inf, 2.0), True)})
    (panel,) = draw_curves([gap], ['loss']).axes
    assert np.isnan(panel.lines[0].get_ydata()).tolist() == [False, True, False]
