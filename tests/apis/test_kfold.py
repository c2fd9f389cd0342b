"""All splits: run, resume, keep, aggregate, and never mix what does not belong."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from cape_mm.apis.kfold import (
    KFold,
    collect,
    print_commands,
    run_fold,
    run_kfold,
    summarise,
    write_slurm_scripts,
)
from cape_mm.apis.kfold.state import choose_checkpoint, read_result
from cape_mm.errors import CapeError, CheckpointError, ConfigError, MissingDataError

TOOLS = Path('tools')


class FakeTools:
    """Stands in for train.py and test.py: notes the calls, writes what they write."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.failing: dict[tuple[str, str], int] = {}
        self.changes: dict[str, dict] = {}

    def __call__(self, command):
        self.calls.append(list(command))
        tool = Path(command[1]).stem.removeprefix('dist_')
        folder = Path(command[command.index('--work-dir') + 1])
        code = self.failing.pop((tool, folder.name), 0)
        folder.mkdir(parents=True, exist_ok=True)
        if tool == 'train':
            name = 'epoch_1.pth' if code else 'epoch_2.pth'
            (folder / name).touch()
            (folder / 'last_checkpoint').write_text(str(folder / name))
        elif not code:
            path = Path(command[command.index('--out') + 1])
            path.write_text(json.dumps(self.metrics(folder.name)))
        return code

    def metrics(self, name: str) -> dict:
        number = int(name.removeprefix('split'))
        values = {'PCK@0.2': number / 10, 'EPE': 10.0 * number, 'num_pairs': 40}
        values |= {'copy_support/PCK@0.2': 0.4, 'num_pairs_dropped': 0, 'partial': None}
        run = dict(episodes_sha256=f'hash of {name}', cape_mm_version='1')
        return dict(values, run=run) | self.changes.get(name, {})

    @property
    def names(self) -> list[str]:
        """E.g. ``['train split1', 'test split1']``."""
        return [
            f'{Path(c[1]).stem} {Path(c[c.index("--work-dir") + 1]).name}'
            for c in self.calls
        ]


@pytest.fixture
def tools() -> FakeTools:
    return FakeTools()


@pytest.fixture
def kfold(toy_config, tmp_path) -> KFold:
    """Three folds of a config whose data roots differ."""
    options = ('data_root=data_{split}', 'randomness.seed=5')
    return KFold(toy_config, tmp_path / 'folds', (1, 2, 3), options)


def append(config: Path, text: str) -> None:
    config.write_text(config.read_text() + text)


def test_placeholder_fills_the_options(kfold):
    assert kfold.options_of(2) == ('data_root=data_2', 'randomness.seed=5')
    assert kfold.config_of(2)['train_dataloader']['dataset']['data_root'] == 'data_2'


def test_split_is_an_option_where_the_files_depend_on_it(toy_config, tmp_path):
    append(toy_config, "train_dataloader['dataset']['ann_file'] = 's{split}.json'\n")
    append(toy_config, "val_dataloader['dataset']['ann_file'] = 's{split}.json'\n")
    kfold = KFold(toy_config, tmp_path, (1, 2), ('data_root=x',))
    assert kfold.options_of(2) == ('data_root=x', 'split=2')
    loaders = ('train', 'val', 'test')
    config = kfold.config_of(2)
    assert [config[f'{x}_dataloader']['dataset']['split'] for x in loaders] == [2] * 3
    # one more value that depends on the split, and a split that is the user's own
    both = KFold(toy_config, tmp_path, (1, 2), ('data_root=x_{split}',))
    assert both.options_of(2) == ('data_root=x_2', 'split=2')
    own = KFold(toy_config, tmp_path, (1, 2), ('data_root=x_{split}', 'split=1'))
    assert own.options_of(2) == ('data_root=x_2', 'split=1')


def test_nothing_depends_on_the_split(toy_config, tmp_path):
    with pytest.raises(ConfigError, match='nothing in it depends on the split'):
        KFold(toy_config, tmp_path).options_of(1)


@pytest.mark.parametrize('change', [dict(splits=()), dict(splits=(1, 1)), dict(gpus=0)])
def test_impossible_arguments(toy_config, tmp_path, change):
    with pytest.raises(ConfigError, match='--'):
        KFold(toy_config, tmp_path, **change)


def test_all_folds_are_trained_and_tested_in_order(kfold, tools):
    run_kfold(kfold, TOOLS, tools)
    expected = [f'{tool} split{n}' for n in (1, 2, 3) for tool in ('train', 'test')]
    assert tools.names == expected
    train, test = tools.calls[2:4]
    folder = str(kfold.folder(2))
    options = ['--cfg-options', 'data_root=data_2', 'randomness.seed=5']
    start = [str(kfold.config), '--work-dir', folder, '--resume']
    assert train[1:] == ['tools/train.py', *start, *options]
    checkpoint = f'{folder}/epoch_2.pth'
    assert test[1:4] == ['tools/test.py', str(kfold.config), checkpoint]
    assert test[4:] == [*start[1:3], '--out', f'{folder}/metrics.json', *options]


def test_finished_folds_are_kept(kfold, tools, capsys):
    run_kfold(kfold, TOOLS, tools)
    tools.calls.clear()
    run_kfold(kfold, TOOLS, tools)
    assert tools.calls == []
    assert capsys.readouterr().out.count('finished, kept') == 3


def test_an_interrupted_training_is_resumed(kfold, tools):
    tools.failing['train', 'split2'] = 130
    with pytest.raises(KeyboardInterrupt):
        run_kfold(kfold, TOOLS, tools)
    assert tools.names == ['train split1', 'test split1', 'train split2']
    tools.calls.clear()
    run_kfold(kfold, TOOLS, tools)
    expected = ['train split2', 'test split2', 'train split3', 'test split3']
    assert tools.names == expected
    assert '--resume' in tools.calls[0]


def test_an_interrupted_test_does_not_train_again(kfold, tools):
    tools.failing['test', 'split1'] = -9
    with pytest.raises(CapeError, match=r'split 1, test ended with exit code -9'):
        run_kfold(kfold, TOOLS, tools)
    tools.calls.clear()
    assert run_fold(kfold, 1, TOOLS, tools) is True
    assert tools.names == ['test split1']


def test_metrics_that_nobody_signed_are_measured_again(kfold, tools):
    """Killed between the test and the signature; the file may be anyone's."""
    run_fold(kfold, 1, TOOLS, tools)
    path = kfold.folder(1) / 'metrics.json'
    metrics = json.loads(path.read_text())
    del metrics['fold']
    path.write_text(json.dumps(metrics))
    assert read_result(kfold, 1) is None
    tools.calls.clear()
    run_fold(kfold, 1, TOOLS, tools)
    assert tools.names == ['test split1']
    assert read_result(kfold, 1)['PCK@0.2'] == 0.1


def test_folds_of_another_config_are_refused(kfold, tools):
    run_fold(kfold, 1, TOOLS, tools)
    tools.failing['train', 'split2'] = 1
    with pytest.raises(CapeError, match='exit code 1'):
        run_fold(kfold, 2, TOOLS, tools)
    tools.calls.clear()
    other = KFold(kfold.config, kfold.work_dir, (1, 2), kfold.options[:1])
    with pytest.raises(ConfigError, match='split1/metrics.json belongs to another'):
        run_fold(other, 1, TOOLS, tools)
    with pytest.raises(ConfigError, match='what differs: randomness.seed. Repeat'):
        run_fold(other, 2, TOOLS, tools)
    with pytest.raises(ConfigError, match='belongs to another config'):
        collect(other)
    assert tools.calls == []


def test_a_result_moved_to_another_split_is_refused(kfold, tools):
    run_fold(kfold, 1, TOOLS, tools)
    kfold.folder(1).rename(kfold.folder(2))
    with pytest.raises(ConfigError, match='split2/metrics.json belongs to another'):
        run_fold(kfold, 2, TOOLS, tools)


def test_a_foreign_training_is_not_taken_over(kfold, tools):
    kfold.folder(1).mkdir(parents=True)
    (kfold.folder(1) / 'last_checkpoint').write_text('x')
    with pytest.raises(
        ConfigError, match='a training that tools/kfold.py has not made'
    ):
        run_fold(kfold, 1, TOOLS, tools)


def test_every_config_is_read_before_the_first_fold(kfold, tools):
    broken = KFold(kfold.config, kfold.work_dir, (1, 2), (*kfold.options, 'typo=1'))
    with pytest.raises(ConfigError, match="no top-level key 'typo'"):
        run_kfold(broken, TOOLS, tools)
    with pytest.raises(ConfigError, match='--fold 4 is none of --splits'):
        run_fold(kfold, 4, TOOLS, tools)
    assert tools.calls == []
    assert not kfold.work_dir.exists()


def test_best_checkpoint_wins_over_the_last(tmp_path):
    with pytest.raises(CheckpointError, match='has left no checkpoint'):
        choose_checkpoint(tmp_path)
    (tmp_path / 'epoch_9.pth').touch()
    (tmp_path / 'last_checkpoint').write_text('/moved/epoch_9.pth')
    assert choose_checkpoint(tmp_path).name == 'epoch_9.pth'
    for epoch in (10, 9):  # the newer one, not the one that sorts last
        path = tmp_path / f'best_PCK@0.2_epoch_{epoch}.pth'
        path.touch()
        os.utime(path, (epoch, epoch))
    assert choose_checkpoint(tmp_path).name == 'best_PCK@0.2_epoch_10.pth'


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


def test_printed_commands_are_one_per_fold_and_one_to_collect(kfold, capsys):
    print_commands(kfold, TOOLS)
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert [line[3:5] for line in lines[:3]] == [['--fold', n] for n in '123']
    assert lines[3][3] == '--collect'
    for line in lines:
        assert line[1:3] == ['tools/kfold.py', str(kfold.config)]
        assert line[-2:] == list(kfold.options)  # filled in by the fold itself


def test_slurm_scripts_are_valid_and_submit_in_order(toy_config, tmp_path):
    options = ('data_root=my data/{split}',)
    kfold = KFold(toy_config, tmp_path / 'w', (1, 2), options, amp=True, gpus=2)
    jobs = tmp_path / 'jobs'
    paths = write_slurm_scripts(kfold, TOOLS, jobs)
    names = ['split1.sh', 'split2.sh', 'collect.sh', 'submit.sh']
    assert [path.name for path in paths] == names
    for path in paths:
        subprocess.run(['bash', '-n', str(path)], check=True)
    text = paths[1].read_text()
    assert '#SBATCH --gpus=2' in text
    assert '--fold 2 --work-dir' in text and "'data_root=my data/{split}'" in text

    bin_dir = tmp_path / 'bin'
    bin_dir.mkdir()
    sbatch = bin_dir / 'sbatch'
    sbatch.write_text('#!/bin/bash\necho "$@" >> "$LOG"\nwc -l < "$LOG"\n')
    sbatch.chmod(sbatch.stat().st_mode | stat.S_IXUSR)
    environment = dict(PATH=f'{bin_dir}:/usr/bin:/bin', LOG=str(tmp_path / 'log'))
    command = ['bash', str(paths[-1]), '--time=9']
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert (tmp_path / 'log').read_text().splitlines() == [
        '--parsable --time=9 split1.sh',
        '--parsable --time=9 split2.sh',
        '--dependency=afterok:1:2 --time=9 collect.sh',
    ]


def test_several_gpus_use_the_launch_scripts(kfold, tools):
    """They exist, and take their arguments in this order."""
    many = KFold(kfold.config, kfold.work_dir, (1,), kfold.options, amp=True, gpus=4)
    run_kfold(many, TOOLS, tools)
    train, test = tools.calls
    config, checkpoint = str(kfold.config), str(kfold.folder(1) / 'epoch_2.pth')
    assert train[:4] == ['bash', 'tools/dist_train.sh', config, '4']
    assert '--amp' in train and '--amp' not in test
    assert test[:5] == ['bash', 'tools/dist_test.sh', config, checkpoint, '4']


def test_places_that_can_not_be_written(kfold, tools, tmp_path):
    (tmp_path / 'file').touch()
    blocked = KFold(kfold.config, tmp_path / 'file' / 'w', (1,), kfold.options)
    with pytest.raises(ConfigError, match='fold.json can not be written: '):
        run_kfold(blocked, TOOLS, tools)
    with pytest.raises(ConfigError, match='jobs can not be written: '):
        write_slurm_scripts(kfold, TOOLS, tmp_path / 'file' / 'jobs')
    assert tools.calls == []


@pytest.mark.parametrize('text', ['{"split": 1', '[]', '\ud800'])
def test_damaged_state(kfold, tools, text):
    kfold.folder(1).mkdir(parents=True)
    path = kfold.folder(1) / 'fold.json'
    path.write_bytes(text.encode('utf-8', 'surrogatepass'))
    with pytest.raises(ConfigError, match='fold.json is not a (JSON file|file of)'):
        run_fold(kfold, 1, TOOLS, tools)
