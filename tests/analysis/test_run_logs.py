"""Logs read back: resumed, damaged, of both stages, missing."""

from __future__ import annotations

import math

import pytest
from training_logs import SESSIONS, train_row, val_row, write_run, write_session

from cape_mm.analysis.run_logs import read_run
from cape_mm.errors import MissingDataError


def test_a_run(tmp_path):
    log = read_run(write_run(tmp_path / 'mine'))
    assert (log.name, log.notes) == ('mine', [])
    loss = log.curves['loss']
    assert loss.is_training
    assert loss.steps == (10, 20, 30, 40, 50, 60)
    assert loss.values[0] == 1.6
    pck = log.curves['PCK@0.2']
    assert not pck.is_training
    assert pck.steps == (1, 2, 3)
    assert pck.values == pytest.approx((0.5, 0.6, 0.5))
    assert log.curves['copy_support/PCK@0.2'].steps == (1, 2, 3)
    assert not {'iter', 'step'} & log.curves.keys()


@pytest.mark.parametrize(
    'tail',
    [b'{"loss": 1.2, "st', b'\0' * 50, b'\xff\xfe\n[1, 2]\n{"loss": 1}\n"step"\n'],
)
def test_damaged_lines_are_counted_and_the_rest_is_kept(tail, tmp_path):
    path = write_session(tmp_path, SESSIONS[0], [train_row(10, 2.0)], tail + b'\n')
    with path.open('a') as file:
        file.write('{"loss": 1.0, "iter": 20, "step": 20}\n')
    log = read_run(tmp_path)
    assert log.curves['loss'].values == (2.0, 1.0)
    number = max(1, tail.count(b'\n'))
    assert log.notes == [f'{number} damaged line(s) left out']


def test_a_resume_replaces_what_it_computes_again(tmp_path):
    first = [train_row(i, 1.0) for i in (10, 20)] + [val_row(1, 0.5)]
    first += [train_row(i, 1.0) for i in (30, 40)] + [val_row(2, 0.6)]
    first += [train_row(50, 1.0)]
    write_session(tmp_path, SESSIONS[0], first)
    second = [train_row(i, 2.0) for i in (30, 40)] + [val_row(2, 0.7)]
    write_session(tmp_path, SESSIONS[1], second)
    log = read_run(tmp_path)
    assert log.curves['loss'].steps == (10, 20, 30, 40)
    assert log.curves['loss'].values == (1.0, 1.0, 2.0, 2.0)
    assert log.curves['PCK@0.2'].values == (0.5, 0.7)
    assert log.notes[0].startswith('2 sessions joined, 4 row(s) of an earlier one')


def test_sessions_come_in_the_order_of_their_steps(tmp_path):
    """Folders are named by local time, and a clock may go back; a copy is all new."""
    first = [train_row(i, 1.0) for i in (10, 20)]
    later = [train_row(i, 2.0) for i in (30, 40)]
    last = [train_row(i, 3.0) for i in (40, 50)]
    for rows, name in zip((last, later, first), SESSIONS):
        write_session(tmp_path, name, rows)
    log = read_run(tmp_path)
    assert log.curves['loss'].values == (1.0, 1.0, 2.0, 3.0, 3.0)
    assert log.num_replaced == 1
    assert '3 sessions joined, 1 row(s)' in log.notes[0]


def test_a_resume_that_dies_before_its_validation_replaces_the_old_one(tmp_path):
    """The old value belongs to weights that were trained again."""
    first = [train_row(20, 1.0), val_row(1, 0.5), train_row(40, 1.0), val_row(2, 0.6)]
    write_session(tmp_path, SESSIONS[0], first)
    write_session(tmp_path, SESSIONS[1], [train_row(30, 2.0)])
    log = read_run(tmp_path)
    assert log.curves['PCK@0.2'].values == (0.5,)
    assert log.curves['loss'].values == (1.0, 2.0)


def test_numbers_that_are_none(tmp_path):
    rows = [train_row(10, math.nan, text='x', flag=True), train_row(20, math.inf)]
    write_session(tmp_path, SESSIONS[0], rows)
    log = read_run(tmp_path)
    assert not log.notes
    assert math.isnan(log.curves['loss'].values[0])
    assert math.isinf(log.curves['loss'].values[1])
    assert not {'text', 'flag'} & log.curves.keys()


def test_a_session_folder_or_a_file_will_do(tmp_path):
    run = write_run(tmp_path / 'run')
    expected = read_run(run).curves
    session = run / SESSIONS[0]
    for path in (session, session / 'vis_data', session / 'vis_data/scalars.json'):
        log = read_run(path)
        assert (log.curves, log.name) == (expected, SESSIONS[0])


def test_nothing_to_read(tmp_path):
    with pytest.raises(MissingDataError, match='no/such does not exist: expected a'):
        read_run('no/such')
    with pytest.raises(MissingDataError, match='has no logs of a training'):
        read_run(tmp_path)
    write_session(tmp_path, SESSIONS[0], [], b'\0\0\n{')
    with pytest.raises(MissingDataError, match='none of the 2 lines'):
        read_run(tmp_path)
