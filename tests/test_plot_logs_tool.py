"""tools/analysis_tools/plot_logs.py as a user types it."""

from __future__ import annotations

from training_logs import write_run


def test_picture_and_table(call, tmp_path):
    run, out = write_run(tmp_path / 'mine'), tmp_path / 'c.png'
    outcome = call('plot_logs', run, '--out', out, '--keys', 'loss', '--smooth')
    assert outcome.code == 0
    assert out.stat().st_size > 1000
    assert 'mine' in outcome.out
    assert f'curves: {out}' in outcome.out


def test_one_message(call, tmp_path):
    outcome = call('plot_logs', tmp_path / 'none', '--out', tmp_path / 'c.png')
    assert outcome.code == 2
    assert 'does not exist' in outcome.message
