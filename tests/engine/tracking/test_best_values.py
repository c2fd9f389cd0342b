"""The table of best values, and which way is better."""

from __future__ import annotations

import math

import pytest

from cape_mm.engine.tracking.best_values import find_best, format_best_values
from cape_mm.engine.tracking.directions import (
    as_shown,
    is_lower_better,
    name_with_unit,
)
from cape_mm.engine.tracking.run_logs import Curve, RunLog


def curve(*values: float) -> Curve:
    return Curve(tuple(range(1, len(values) + 1)), values, is_training=False)


@pytest.mark.parametrize('key', ['loss', 'loss_x', 'NME', 'val/EPE', 'time', 'ECE@0.2'])
def test_small_is_better(key):
    assert is_lower_better(key)


@pytest.mark.parametrize('key', ['PCK@0.2', 'mPCK5', 'AUC', 'train_side/PCK@0.2'])
def test_great_is_better(key):
    assert not is_lower_better(key)


def test_units():
    assert as_shown('PCK_macro@0.2', 0.5) == 50
    assert as_shown('EPE', 12.0) == 12
    assert name_with_unit('NME') == 'NME [%]'
    assert name_with_unit('loss') == 'loss'


def test_best_is_the_first_of_equals_and_no_nan():
    best = find_best('PCK@0.2', curve(0.1, math.nan, 0.6, math.inf, 0.6, 0.2))
    assert (best.value, best.step, best.last, best.last_step) == (0.6, 3, 0.2, 6)
    assert find_best('NME', curve(0.3, 0.1, 0.1)).step == 2
    assert math.isnan(find_best('loss', curve(math.nan, math.inf)).value)


def test_table():
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
    assert len({len(line) for line in table.splitlines()}) == 1
