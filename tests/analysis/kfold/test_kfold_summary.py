"""Mean and spread over the splits, and when there is none."""

from __future__ import annotations

import json

import pytest
from fold_cases import TOOLS

from cape_mm.analysis.kfold import (
    collect,
    run_fold,
    run_kfold,
    summarise,
)
from cape_mm.errors import ConfigError, MissingDataError


def test_mean_and_spread_by_hand(kfold, tools):
    run_kfold(kfold, TOOLS, tools)
    summary = collect(kfold)
    pck = summary['metrics']['PCK@0.2']
    assert pck['values'] == {1: 0.1, 2: 0.2, 3: 0.3}
    assert pck['mean'] == pytest.approx(0.2)
    assert pck['std'] == pytest.approx(0.1)  # of a sample: n - 1
    assert (pck['min'], pck['max']) == (0.1, 0.3)
    assert pck['copy_support']['mean'] == pytest.approx(0.4)
    assert set(summary['metrics']) == {'PCK@0.2', 'EPE'}
    assert summary['complete'] and summary['mean_of'] == [1, 2, 3]


def test_reports(kfold, tools, capsys):
    run_kfold(kfold, TOOLS, tools)
    collect(kfold)
    text = (kfold.work_dir / 'kfold.md').read_text()
    row = '| PCK@0.2 | 10.0 | 20.0 | 30.0 | 20.0 | 10.0 | 10.0 | 30.0 | 40.0 |'
    assert row in text
    assert '| EPE | 10.0 | 20.0 | 30.0 | 20.0 | 10.0 | 10.0 | 30.0 | - |' in text
    assert 'PARTIAL' not in text
    assert text in capsys.readouterr().out
    latex = (kfold.work_dir / 'kfold.tex').read_text()
    assert row.strip('| ').replace('|', '&') + ' \\\\' in latex
    columns = latex.split('{tabular}{')[1].split('}')[0]
    rows = [line for line in latex.splitlines() if line.endswith('\\\\')]
    assert {line.count('&') for line in rows} == {len(columns) - 1}
    stored = json.loads((kfold.work_dir / 'kfold.json').read_text())
    assert stored['metrics']['PCK@0.2']['values'] == {'1': 0.1, '2': 0.2, '3': 0.3}
    assert stored['folds']['2']['episodes_sha256'] == 'hash of split2'


@pytest.mark.parametrize(
    ('change', 'shown'),
    [
        (dict(partial=dict(text='partial: 3 of 4 categories')), '3 of 4 categories'),
        (dict(partial='some gaps'), 'some gaps'),
        (dict(partial=dict(num_pairs=3)), "{'num_pairs': 3}"),
        (dict(num_pairs_dropped=2), '40 of 42 pairs'),
    ],
)
def test_partial_folds_give_no_mean_unless_allowed(kfold, tools, change, shown):
    tools.changes['split2'] = change
    run_kfold(kfold, TOOLS, tools)
    with pytest.raises(MissingDataError, match='no mean: .*--allow-partial'):
        collect(kfold)
    text = (kfold.work_dir / 'kfold.md').read_text()
    assert '| PCK@0.2 | 10.0 | 20.0 | 30.0 | - | - | - | - | - |' in text
    assert f'split 2 is PARTIAL: {shown}' in text
    assert 'split 2\\*' in text and 'split 1 |' in text
    stored = json.loads((kfold.work_dir / 'kfold.json').read_text())
    assert stored['metrics']['PCK@0.2']['mean'] is None
    assert stored['partial'] == {'2': shown}

    summary = collect(kfold, allow_partial=True)
    assert summary['metrics']['PCK@0.2']['mean'] == pytest.approx(0.2)
    assert not summary['complete']
    for name in ('kfold.md', 'kfold.tex'):
        text = (kfold.work_dir / name).read_text()
        assert 'PARTIAL MEAN over split 1, 2, 3: do not compare' in text
        assert 'mean\\*' in text or 'mean$^*$' in text


def test_missing_folds_give_no_mean_unless_allowed(kfold, tools):
    with pytest.raises(
        MissingDataError, match='none of the splits 1, 2, 3 is finished'
    ):
        collect(kfold)
    for split in (1, 3):
        run_fold(kfold, split, TOOLS, tools)
    with pytest.raises(MissingDataError, match='no mean'):
        collect(kfold)
    summary = collect(kfold, allow_partial=True)
    assert summary['missing'] == [2]
    assert summary['mean_of'] == [1, 3]
    assert summary['metrics']['PCK@0.2']['mean'] == pytest.approx(0.2)
    text = (kfold.work_dir / 'kfold.md').read_text()
    assert 'NOT FINISHED: split 2' in text
    assert 'PARTIAL MEAN over split 1, 3' in text


def result(split: int, **changes) -> dict:
    """Metrics of a finished fold."""
    protocol = dict(num_shots=1, num_queries=15, **changes.pop('protocol', {}))
    values = {'PCK@0.2': 0.5, 'run': dict(episodes_sha256=str(split))}
    return dict(values, fold=dict(split=split, protocol=protocol)) | changes


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (result(2, protocol=dict(draw_seed=2)), 'measured differently: draw_seed None'),
        (
            result(2, fold=dict(protocol=dict(num_shots=5, num_queries=15))),
            r'splits 1 and 2 were measured differently: num_shots 1 / 5\. Test',
        ),
        (
            result(2, run=dict(episodes_sha256='2', protocol='official')),
            "measured differently: protocol None / 'official'",
        ),
        (
            result(2, run=dict(episodes_sha256='1')),
            'splits 1 and 2 were tested on the same episodes',
        ),
        (
            result(2, trained_categories_in_test=7),
            'split 2: 7 of the tested categories',
        ),
    ],
)
def test_folds_that_do_not_belong_together(other, message):
    assert summarise({1: result(1), 2: result(2)})['complete']
    for allow_partial in (False, True):
        with pytest.raises(ConfigError, match=message):
            summarise({1: result(1), 2: other}, allow_partial)


def test_undefined_values_give_no_mean():
    """A null in one fold, e.g. of a mean over nothing; a single fold has no spread."""
    summary = summarise({1: result(1, AUC=None, x=None), 2: result(2, AUC=0.5, x=None)})
    assert summary['metrics']['AUC']['mean'] is None
    assert summary['metrics']['AUC']['values'] == {1: None, 2: 0.5}
    assert 'x' not in summary['metrics']
    single = summarise({1: result(1)})['metrics']['PCK@0.2']
    assert (single['mean'], single['std']) == (0.5, None)


def test_versions_that_differ_are_noted(kfold, tools):
    run = dict(episodes_sha256='other', cape_mm_version='2')
    tools.changes['split3'] = dict(run=run)
    run_kfold(kfold, TOOLS, tools)
    collect(kfold)
    assert 'several versions: 1, 2' in (kfold.work_dir / 'kfold.md').read_text()
