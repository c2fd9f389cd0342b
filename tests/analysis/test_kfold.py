"""All splits: what is run and kept, mean and spread, and when there is none."""

from __future__ import annotations

import json

import pytest

from cape_mm.analysis import kfold
from cape_mm.analysis.kfold import choose_checkpoint, options_of, run_kfold, summarise
from cape_mm.errors import CheckpointError, ConfigError, MissingDataError

OPTIONS = ('data_root=data_{split}', 'randomness.seed=5')


class FakeRuns:
    """Stands in for train() and test(): notes the calls, writes what they write."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.options: list[dict] = []
        self.failing: set[str] = set()
        self.changes: dict[str, dict] = {}

    def train(self, config, work_dir, resume, cfg_options, amp, launcher):
        self.note('train', work_dir, cfg_options)
        assert resume == 'auto'
        work_dir.mkdir(parents=True, exist_ok=True)
        (work_dir / 'epoch_2.pth').touch()
        (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_2.pth'))

    def test(self, config, checkpoint, work_dir, cfg_options, launcher):
        self.note('test', work_dir, cfg_options)
        assert checkpoint == work_dir / 'epoch_2.pth'
        number = int(work_dir.name.removeprefix('split'))
        values = {'PCK@0.2': number / 10, 'EPE': 10.0 * number, 'num_pairs': 40}
        values |= {'copy_support/PCK@0.2': 0.4, 'matching/PCK@0.2': number / 5}
        values |= {'num_pairs_dropped': 0, 'partial': None}
        run = dict(episodes_sha256=f'hash of {number}', cape_mm_version='1')
        content = dict(values, run=run) | self.changes.get(work_dir.name, {})
        (work_dir / 'metrics.json').write_text(json.dumps(content))

    def note(self, what, work_dir, options):
        call = f'{what} {work_dir.name}'
        self.calls.append(call)
        self.options.append(options)
        if call in self.failing:
            self.failing.remove(call)
            raise KeyboardInterrupt


@pytest.fixture
def runs(monkeypatch) -> FakeRuns:
    fake = FakeRuns()
    monkeypatch.setattr(kfold.runner, 'train', fake.train)
    monkeypatch.setattr(kfold.runner, 'test', fake.test)
    return fake


@pytest.fixture
def run(runs, toy_config, tmp_path):
    """Runs three folds of a config whose data roots differ."""

    def call(**changes):
        arguments = dict(splits=(1, 2, 3), cfg_options=OPTIONS) | changes
        return run_kfold(toy_config, tmp_path / 'folds', **arguments)

    return call


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'folds'


def test_all_folds_in_order_and_what_is_finished_is_kept(run, runs):
    runs.failing = {'test split2'}
    with pytest.raises(KeyboardInterrupt):
        run()
    first = ['train split1', 'test split1', 'train split2', 'test split2']
    assert runs.calls == first
    assert runs.options[2] == {'data_root': 'data_2', 'randomness.seed': 5}
    run()
    assert runs.calls == first + first[2:] + ['train split3', 'test split3']


def test_one_fold_alone_then_the_summary(run, runs):
    assert run(only=2) is None
    assert runs.calls == ['train split2', 'test split2']
    summary = run(summary_only=True, allow_partial=True)
    assert (summary['missing'], summary['mean_of']) == ([1, 3], [2])
    assert len(runs.calls) == 2


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(splits=()), 'splits: each once'),
        (dict(splits=(1, 1)), 'splits: each once'),
        (dict(only=4), 'fold 4 is none of splits'),
        (dict(cfg_options=('randomness.seed=5',)), 'nothing in it depends on the'),
        (dict(cfg_options=('no.such={split}',)), 'no'),
    ],
)
def test_impossible_arguments(run, runs, changes, message):
    with pytest.raises(ConfigError, match=message):
        run(**changes)
    assert not runs.calls


def test_split_is_added_where_the_files_depend_on_it():
    config = 'configs/cape_mp100.py'
    assert options_of(config, (), 3) == {'split': 3}
    assert options_of(config, ('split=2',), 3) == {'split': 2}


def test_best_checkpoint_before_the_last(tmp_path):
    with pytest.raises(CheckpointError, match='left no checkpoint'):
        choose_checkpoint(tmp_path)
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        (tmp_path / name).touch()
    assert choose_checkpoint(tmp_path).name == 'epoch_2.pth'
    (tmp_path / 'best_PCK_epoch_1.pth').touch()
    assert choose_checkpoint(tmp_path).name == 'best_PCK_epoch_1.pth'


def test_mean_and_spread_by_hand_in_all_three_files(run, folder, capsys):
    summary = run()
    pck = summary['metrics']['PCK@0.2']
    assert pck['values'] == {1: 0.1, 2: 0.2, 3: 0.3}
    assert pck['mean'] == pytest.approx(0.2)
    assert pck['std'] == pytest.approx(0.1)  # of a sample: n - 1
    assert (pck['min'], pck['max']) == (0.1, 0.3)
    for floor in ('copy_support', 'matching'):
        assert summary['metrics'][f'{floor}/PCK@0.2']['mean'] == pytest.approx(0.4)
    assert summary['complete'] and summary['mean_of'] == [1, 2, 3]
    text = (folder / 'kfold.md').read_text()
    cells = ['PCK@0.2', '10.0', '20.0', '30.0', '20.0', '10.0', '10.0', '30.0']
    cells += ['40.0', '40.0']  # the floors
    assert cells in [
        line.strip('| ').replace('|', ' ').split() for line in text.split('\n')
    ]
    assert 'PARTIAL' not in text and '*' not in text.split('\n\n')[1]
    assert text in capsys.readouterr().out
    latex = (folder / 'kfold.tex').read_text()
    assert cells in [
        line.strip('\\ ').replace('&', ' ').split() for line in latex.split('\n')
    ]
    stored = json.loads((folder / 'kfold.json').read_text())
    assert stored['metrics']['PCK@0.2']['values'] == {'1': 0.1, '2': 0.2, '3': 0.3}
    assert stored['folds']['2']['episodes_sha256'] == 'hash of 2'


def test_partial_folds_give_no_mean_unless_allowed(run, runs, folder):
    shown = '3 of 4 categories'
    runs.changes['split2'] = dict(partial=dict(text=f'partial: {shown}'))
    with pytest.raises(MissingDataError, match='no mean: .*--allow-partial'):
        run()
    text = (folder / 'kfold.md').read_text()
    assert f'split 2 is PARTIAL: {shown}' in text
    assert 'split 2* |' in text and 'split 1 |' in text
    stored = json.loads((folder / 'kfold.json').read_text())
    assert stored['metrics']['PCK@0.2']['mean'] is None
    assert stored['partial'] == {'2': shown}
    summary = run(allow_partial=True)
    assert summary['metrics']['PCK@0.2']['mean'] == pytest.approx(0.2)
    assert not summary['complete']
    for name in ('kfold.md', 'kfold.tex'):
        text = (folder / name).read_text()
        assert 'PARTIAL MEAN over split 1, 2, 3: do not compare' in text
        assert 'mean*' in text


def result(split: int, **changes) -> dict:
    """Metrics of a finished fold."""
    return {'PCK@0.2': 0.5, 'run': dict(episodes_sha256=str(split))} | changes


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (result(1), 'splits 1 and 2 were tested on the same episodes'),
        (
            result(2, trained_categories_in_test=7),
            'split 2: 7 of the tested categories',
        ),
    ],
)
def test_folds_that_do_not_belong_together(other, message):
    assert summarise({1: result(1), 2: result(2)})['complete']
    with pytest.raises(ConfigError, match=message):
        summarise({1: result(1), 2: other}, allow_partial=True)


def test_nothing_is_finished():
    with pytest.raises(MissingDataError, match='none of the splits 1, 2 is finished'):
        summarise({1: None, 2: None})
