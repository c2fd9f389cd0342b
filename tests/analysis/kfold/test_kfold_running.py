"""All splits: run, resume, keep, and never mix what does not belong."""

from __future__ import annotations

import json
import os

import pytest
from fold_cases import TOOLS, append

from cape_mm.analysis.kfold import (
    KFold,
    collect,
    run_fold,
    run_kfold,
    write_slurm_scripts,
)
from cape_mm.analysis.kfold.state import choose_checkpoint, read_result
from cape_mm.errors import CapeError, CheckpointError, ConfigError


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
    with pytest.raises(ConfigError, match='a training that kfold.py has not made'):
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
