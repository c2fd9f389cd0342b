"""The tool for all splits, from end to end on one of them."""

from __future__ import annotations

import json

from tool_calls import FAST, REPO, TINY

MP100 = REPO / 'configs/cape_mp100.py'


def test_a_fold_from_end_to_end(synthetic_root, call, tmp_path):
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
    assert f'{work_dir}/kfold.md' in outcome.out

    again = call('kfold', *arguments)
    assert again.code == 0, again.err
    assert 'split 1: finished, kept' in again.out
    assert '== split' not in again.out


def test_refusals(call, tmp_path):
    outcome = call('kfold', MP100, '--summary-only', '--work-dir', tmp_path)
    assert outcome.code == 2
    assert 'none of the splits 1, 2, 3, 4, 5 is finished' in outcome.message
    outcome = call('kfold', TINY, '--work-dir', tmp_path)
    assert outcome.code == 2
    assert 'data_root=data/fold_{split}' in outcome.message
    outcome = call('kfold', MP100, '--summary-only', '--fold', '1')
    assert outcome.code == 2
    assert 'not allowed with' in outcome.err
