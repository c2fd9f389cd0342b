"""The tool for all splits, from end to end on two of them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tool_calls import FAST, REPO, TINY, ToolCaller

MP100 = REPO / 'configs/cape_mp100.py'


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs a tool in this process."""
    return ToolCaller(monkeypatch, capfd)


def test_a_fold_from_end_to_end(synthetic_root, call, monkeypatch, tmp_path):
    """With the real tools, each in a process of its own; then it is finished."""
    monkeypatch.setenv('PYTHONPATH', str(REPO))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    (tmp_path / 'fold_1').symlink_to(synthetic_root)
    work_dir = tmp_path / 'work'
    arguments = (
        *(TINY, '--work-dir', work_dir, '--splits', '1', *FAST),
        *(f'data_root={tmp_path}/fold_{{split}}', 'train_cfg.max_epochs=1'),
        *('val_cfg=None', 'val_dataloader=None', 'val_evaluator=None'),
    )
    outcome = call('kfold', *arguments)
    assert outcome.code == 0, outcome.err
    metrics = json.loads((work_dir / 'split1/metrics.json').read_text())
    assert metrics['num_pairs'] == 2 * 2 * 2  # categories x episodes x queries
    summary = json.loads((work_dir / 'kfold.json').read_text())
    assert summary['complete'] is True
    assert summary['metrics']['PCK@0.2']['mean'] == metrics['PCK@0.2']
    assert summary['folds']['1']['checkpoint'].endswith('split1/epoch_1.pth')
    assert str(work_dir / 'kfold.tex') in outcome.out

    again = call('kfold', *arguments)
    assert again.code == 0, again.err
    assert 'split 1: finished, kept' in again.out
    assert '== split' not in again.out
    floor = summary['metrics']['PCK@0.2']['copy_support']['mean']
    assert f'| {100 * floor:.1f} |' in again.out


def test_help_shows_a_working_example(call):
    outcome = call('kfold', '--help')
    assert outcome.code == 0
    assert 'python tools/analysis_tools/kfold.py configs/' in outcome.out


def test_help_imports_nothing_heavy():
    code = """
import runpy, sys
sys.argv = ['x', '--help']
try:
    runpy.run_path('tools/analysis_tools/kfold.py', run_name='__main__')
except SystemExit as error:
    assert error.code == 0
assert not {'torch', 'mmengine', 'cape_mm'} & set(sys.modules)
"""
    subprocess.run(
        [sys.executable, '-c', code], cwd=REPO, check=True, stdout=subprocess.DEVNULL
    )


def test_commands_for_mp100(call):
    outcome = call('kfold', MP100, '--print-commands')
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert len(lines) == 6
    assert all(f'--fold {i}' in line for i, line in enumerate(lines[:5], start=1))
    assert '--collect' in lines[5]


def test_slurm_scripts_for_mp100(call, tmp_path):
    outcome = call('kfold', MP100, '--slurm', tmp_path / 'jobs')
    assert outcome.code == 0, outcome.err
    assert str(tmp_path / 'jobs/submit.sh') in outcome.out
    assert len(list((tmp_path / 'jobs').iterdir())) == 7


def test_nothing_to_collect(call, tmp_path):
    outcome = call('kfold', MP100, '--collect', '--work-dir', tmp_path)
    assert outcome.code == 2
    assert 'none of the splits 1, 2, 3, 4, 5 is finished' in outcome.message


def test_config_without_splits(call, tmp_path):
    outcome = call('kfold', TINY, '--work-dir', tmp_path)
    assert outcome.code == 2
    assert 'nothing in it depends on the split' in outcome.message
    assert 'data_root=data/fold_{split}' in outcome.message


def test_one_mode_at_a_time(call):
    outcome = call('kfold', MP100, '--collect', '--fold', '1')
    assert outcome.code == 2
    assert 'not allowed with' in outcome.err
