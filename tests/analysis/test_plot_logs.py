"""The picture and the table of several runs."""

from __future__ import annotations

import math

import cv2
import pytest
from training_logs import SESSIONS, train_row, write_run, write_session

from cape_mm.analysis.plot_logs import (
    DEFAULT_KEYS,
    find_best,
    format_best_values,
    plot_logs,
)
from cape_mm.engine.tracking.run_logs import Curve, RunLog
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


def test_what_the_reader_should_know_is_said(tmp_path, capsys):
    first = write_run(tmp_path / 'a')
    write_session(first, SESSIONS[1], [train_row(50, 2.0)], b'{"lo')
    other = tmp_path / 'b'
    write_session(other, SESSIONS[0], [train_row(10, 1.0)])
    plot_logs([first, other], tmp_path / 'c.png', ['loss', 'PCK@0.2'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        'a: 1 damaged line(s) left out',
        'a: 2 sessions joined, 4 row(s) of an earlier one computed again by a later '
        'one',
        'b: has not logged PCK@0.2',
    ]


def test_runs_of_one_name_are_told_apart(tmp_path, capsys):
    runs = [write_run(tmp_path / 'x/run'), write_run(tmp_path / 'y/run')]
    plot_logs(runs, tmp_path / 'c.png', ['loss'])
    rows = capsys.readouterr().out.splitlines()[1:3]
    assert [row.split()[0].endswith(end) for row, end in zip(rows, ('x/run', 'y/run'))]
    assert rows[0].split()[0] != rows[1].split()[0]


def test_keys_that_nothing_knows(tmp_path):
    run = write_run(tmp_path / 'a')
    with pytest.raises(ConfigError, match=r"'PCK@0.3'. Did you mean 'PCK@0.2'\?"):
        plot_logs([run], tmp_path / 'c.png', ['PCK@0.3'])
    assert not (tmp_path / 'c.png').exists()


def test_a_run_with_none_of_the_default_keys(tmp_path, capsys):
    write_session(tmp_path / 'a', SESSIONS[0], [{'error': 1.0, 'step': 1}])
    plot_logs([tmp_path / 'a'], tmp_path / 'c.png')
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


def test_table_of_best_values():
    runs = [
        RunLog('a', {'PCK@0.2': curve(0.5, 0.625, 0.6), 'lr': curve(0.1, 0.01)}),
        RunLog('b', {'PCK@0.2': curve(0.7)}),
    ]
    table = format_best_values(runs, ['PCK@0.2', 'lr'], ['a', 'b' * 60])
    lines = [line.split() for line in table.splitlines()]
    assert lines[0] == ['run', 'key', 'best', 'at', 'last', 'at']
    assert lines[1] == ['a', 'PCK@0.2', '[%]', '62.5', '2', '60', '3']
    assert lines[2] == ['a', 'lr', '-', '-', '0.01', '2']
    assert lines[3] == ['...' + 'b' * 37, 'PCK@0.2', '[%]', '70', '1', '70', '1']
    assert lines[4][-4:] == ['-'] * 4
