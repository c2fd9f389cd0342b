"""Train, interrupt, resume and test a toy through the library calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from mmengine.optim import OptimWrapper

import cape_mm.engine  # noqa: F401  (registers the hooks)
from cape_mm.apis import runner as api
from cape_mm.apis.config_loading import load_config, set_work_dir
from cape_mm.compat.checkpoint import read_checkpoint
from cape_mm.errors import CheckpointError, ConfigError, MissingDataError
from cape_mm.version import __version__


def load_weight(path):
    return read_checkpoint(path)['state_dict']['linear.weight']


def test_train_resume_and_test(toy_config, tmp_path, capsys):
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    assert api.train(toy_config, work_dir=whole) == whole
    assert 'checkpoints and logs: ' in capsys.readouterr().out

    api.train(toy_config, parts, cfg_options={'train_cfg.max_epochs': 1})
    api.train(toy_config, parts, resume='auto')
    weight = load_weight(parts / 'epoch_2.pth')
    assert torch.equal(weight, load_weight(whole / 'epoch_2.pth'))
    assert not torch.equal(weight, load_weight(whole / 'epoch_1.pth'))

    config_before = (whole / 'toy.py').read_text()
    metrics = api.test(toy_config, whole / 'epoch_2.pth', work_dir=whole)
    assert json.loads((whole / 'metrics.json').read_text())['norm'] == metrics['norm']
    assert 'metrics.json' in capsys.readouterr().out
    assert "type='SGD'" in config_before
    assert "type='SGD'" in (whole / 'toy.py').read_text()


def test_out_names_the_metrics_file(toy_config, tmp_path):
    api.train(toy_config, tmp_path / 'w', cfg_options={'train_cfg.max_epochs': 1})
    out = tmp_path / 'deep' / 'm.json'
    api.test(toy_config, tmp_path / 'w' / 'epoch_1.pth', tmp_path / 't', out=out)
    assert json.loads(out.read_text())['num_pairs'] == 20


@pytest.mark.parametrize('option', ['work_dir', 'out', 'dump', 'show_dir'])
def test_output_that_can_not_be_written_is_known_before(
    toy_config, tmp_path, monkeypatch, option
):
    (tmp_path / 'file').touch()
    monkeypatch.setattr(api.Runner, 'test', lambda runner: pytest.fail('worked'))
    monkeypatch.setattr(api.Runner, 'train', lambda runner: pytest.fail('worked'))
    places = dict(work_dir=tmp_path / 't') | {option: tmp_path / 'file' / 'x'}
    with pytest.raises(ConfigError, match=f'{option} .*/file'):
        api.test(toy_config, **places)
    if option == 'work_dir':
        with pytest.raises(ConfigError, match='work_dir .*/file/x'):
            api.train(toy_config, **places)


@pytest.mark.parametrize(('counts', 'rate'), [(1, 0.2), (4, 0.8)])
def test_automatic_learning_rate_counts_accumulation(
    toy_config, tmp_path, counts, rate
):
    """Two episodes at a time, where the rate of 0.1 is meant for one."""
    cfg = load_config(toy_config, {'optim_wrapper.accumulative_counts': counts})
    cfg.train_dataloader.batch_size = 2
    set_work_dir(cfg, tmp_path)
    runner = api.build_runner(cfg)
    weights = [torch.nn.Parameter(torch.zeros(1))]
    optimizer = torch.optim.SGD(weights, lr=0.1)
    wrapper = OptimWrapper(optimizer, accumulative_counts=counts)
    runner.scale_lr(wrapper, dict(enable=True, base_batch_size=1))
    assert wrapper.param_groups[0]['lr'] == pytest.approx(rate)
    runner.scale_lr(wrapper, dict(enable=False, base_batch_size=1))
    runner.scale_lr(wrapper)
    assert wrapper.param_groups[0]['lr'] == pytest.approx(rate)


def test_without_a_checkpoint_the_model_is_untrained(toy_config, tmp_path):
    metrics = api.test(toy_config, work_dir=tmp_path / 't')
    assert metrics['run']['checkpoint'] == 'untrained'
    assert 0 <= metrics['PCK@0.2'] <= 1


def test_checkpoint_of_another_architecture(toy_config, tmp_path):
    work_dir = tmp_path / 'w'
    api.train(toy_config, work_dir, cfg_options={'train_cfg.max_epochs': 1})
    wider = {'model.width': 5}
    path = work_dir / 'epoch_1.pth'
    with pytest.raises(CheckpointError, match=r'linear.weight \(4, 3\) instead of \(5'):
        api.test(toy_config, path, tmp_path / 't', cfg_options=wider)
    with pytest.raises(CheckpointError, match='does not fit the model RunToyModel'):
        api.train(toy_config, work_dir, resume='auto', cfg_options=wider)
    with pytest.raises(CheckpointError, match='does not fit the model RunToyModel'):
        api.train(
            toy_config, tmp_path / 'n', cfg_options={'load_from': str(path), **wider}
        )


def read_logs(work_dir):
    return ''.join(path.read_text() for path in sorted(work_dir.glob('*/*.log')))


def named(name, **options):
    """Options of a run with a logger of its own; runs within a second share one."""
    return dict(experiment_name=name, **options)


def fine_tune(toy_config, tmp_path, weights):
    """Start from a file of these weights; what the log says."""
    path = tmp_path / 'weights.pth'
    torch.save(weights, path)
    options = named(f'fine_tune_{len(weights)}', load_from=str(path))
    api.train(toy_config, tmp_path / 'w', cfg_options=options)
    return read_logs(tmp_path / 'w')


def test_load_from_says_how_much_fits(toy_config, tmp_path):
    weight, bias = torch.zeros(4, 3), torch.zeros(5)
    log = fine_tune(
        toy_config, tmp_path, {'linear.weight': weight, 'linear.bias': bias}
    )
    assert 'load_from: 1 of 2 weights fit; the others start afresh: linear.bias' in log


def test_load_from_refuses_less_than_half(toy_config, tmp_path):
    toy_parts = tmp_path / 'toy_parts_of_the_runner_test.py'
    toy_parts.write_text(
        toy_parts.read_text().replace('super().__init__()\n', THIRD_TENSOR, 1)
    )
    with pytest.raises(CheckpointError, match='2 missing: scale, linear.bias'):
        fine_tune(toy_config, tmp_path, {'linear.weight': torch.zeros(4, 3)})


THIRD_TENSOR = """super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
"""


def add_categories(toy_config):
    """Toy data sets: trained on cat, dog and (without an instance) hen; the others'."""
    toy_parts = toy_config.with_name('toy_parts_of_the_runner_test.py')
    toy_parts.write_text(
        toy_parts.read_text()
        + """
from types import SimpleNamespace

def _add_categories(self, ann_file, data_root=''):
    _old_init(self, ann_file)
    names = {1: 'cat', 2: 'dog', 3: 'hen'}
    if not ann_file.startswith('train'):
        names = {2: 'dog', 3: 'hen', 4: 'emu'}
    self.categories = {i: SimpleNamespace(name=name) for i, name in names.items()}
    self.instances_by_category = {i: [(1, 1)] for i in names}
    if ann_file.startswith('train'):
        self.instances_by_category[3] = []
    self.num_missing_images = 7
    self.ann_files = (ann_file,)
    self.template_file = 'templates.json'
    self.num_without_image = {1: 1} if ann_file.startswith('train') else {}

_old_init = RunToyDataset.__init__
RunToyDataset.__init__ = _add_categories
RunToySampler.episodes_sha256 = 'abc'
"""
    )


def test_categories_that_are_trained_and_tested(toy_config, tmp_path):
    add_categories(toy_config)
    api.train(toy_config, tmp_path / 'w', cfg_options=named('trained'))
    log = read_logs(tmp_path / 'w')
    warning = '1 of 3 {} categories are also trained on (dog): {} results say nothing'
    assert warning.format('val', 'val') in log

    path = tmp_path / 'w' / 'epoch_2.pth'
    metrics = api.test(toy_config, path, tmp_path / 't', cfg_options=named('tested'))
    assert metrics['trained_categories_in_test'] == 1
    assert warning.format('test', 'test') in read_logs(tmp_path / 't')

    # what a fine-tuned model saw before counts as well
    options = named('tuned', load_from=str(path), train_ann_file='other.json')
    api.train(toy_config, tmp_path / 'f', cfg_options=options)
    tuned = read_checkpoint(tmp_path / 'f' / 'epoch_2.pth')
    seen = tuned['message_hub']['runtime_info']['train_categories']
    assert seen == [[1, 'cat'], [2, 'dog'], [3, 'hen'], [4, 'emu']]


def test_metrics_say_what_they_were_measured_on(toy_config, tmp_path):
    api.train(toy_config, tmp_path / 'w', cfg_options={'train_cfg.max_epochs': 1})
    path = tmp_path / 'w' / 'epoch_1.pth'
    expected = dict(
        config=str(toy_config), checkpoint=str(path), cape_mm_version=__version__
    )
    options = {'randomness.seed': 3}
    expected['cfg_options'] = options
    metrics = api.test(toy_config, path, tmp_path / 't', cfg_options=options)
    environment = metrics['run'].pop('environment')
    assert environment['versions']['torch'] == torch.__version__
    assert metrics['run'] == expected
    assert 'trained_categories_in_test' not in metrics

    del expected['cfg_options']
    add_categories(toy_config)
    sys.modules.pop('toy_parts_of_the_runner_test')
    api.test(toy_config, path, tmp_path / 't')
    written = json.loads((tmp_path / 't' / 'metrics.json').read_text())
    expected.update(episodes_sha256='abc', num_missing_images=7)
    expected.update(ann_files=['val.json'], template_file='templates.json')
    assert written['run'] | expected == written['run']
    assert written['mPCK5'] == 0.5


def test_metrics_say_that_training_data_were_missing(toy_config, tmp_path):
    add_categories(toy_config)
    api.train(toy_config, tmp_path / 'w', cfg_options={'train_cfg.max_epochs': 1})
    metrics = api.test(toy_config, tmp_path / 'w' / 'epoch_1.pth', tmp_path / 't')
    text = '2 of 2 categories, 2 of 3 instances'
    assert metrics['run']['trained_on'] == dict(partial=text)


def test_resume_needs_the_state_of_a_training(toy_config, tmp_path):
    weights = {'linear.weight': torch.zeros(4, 3), 'linear.bias': torch.zeros(4)}
    torch.save(weights, tmp_path / 'weights.pth')
    with pytest.raises(CheckpointError, match='no state of a training.*load_from='):
        api.train(toy_config, tmp_path / 'w', resume=tmp_path / 'weights.pth')


def test_missing_things_stop_before_the_work_directory_is_made(toy_config, tmp_path):
    work_dir = tmp_path / 'w'
    with pytest.raises(CheckpointError, match='no such file'):
        api.test(toy_config, tmp_path / 'nope.pth', work_dir)
    with pytest.raises(MissingDataError, match="data root '/nowhere' does not exist"):
        api.train(toy_config, work_dir, cfg_options={'data_root': '/nowhere'})
    with pytest.raises(CheckpointError, match='does not exist. Nothing was started'):
        api.train(toy_config, work_dir, resume=tmp_path / 'nope.pth')
    assert not work_dir.exists()
    options = {'train_dataloader.sampler.shots': 3}
    with pytest.raises(ConfigError, match=r'^train_dataloader\.sampler\.shots: RunToy'):
        api.train(toy_config, work_dir, cfg_options=options)


def test_train_without_validation_and_in_mixed_precision(toy_config, tmp_path):
    api.train(
        toy_config,
        tmp_path / 'w',
        amp=True,
        no_validate=True,
        cfg_options={
            'val_dataloader.dataset.ann_file': 'not there',
            'train_cfg': dict(by_epoch=True, max_epochs=1),
        },
    )
    assert (tmp_path / 'w' / 'epoch_1.pth').is_file()


@pytest.mark.parametrize('configured', [0, 1, 2])
def test_pictures_take_the_place_of_those_of_the_config(
    toy_config, tmp_path, configured
):
    cfg = load_config(toy_config)
    cfg.custom_hooks = [dict(type='EpisodePicturesHook', num_episodes=3)] * configured
    set_work_dir(cfg, tmp_path)
    runner = api.build_runner(cfg)
    hook = api.add_pictures(runner, 'pictures', 7)
    assert [one for one in runner.hooks if isinstance(one, type(hook))] == [hook]
    assert (hook.enabled, hook.num_episodes, hook.out_dir) == (True, 7, 'pictures')
    with pytest.raises(ConfigError, match='at least 1, got 0'):
        api.add_pictures(runner, 'pictures', 0)


LAUNCHED = """
import sys
from pathlib import Path
import cape_mm.engine
from cape_mm.apis import run_cli, test, train

config, work_dir = sys.argv[1:]
exit_code = run_cli(lambda: (
    train(config, work_dir, launcher='pytorch'),
    print('metrics of', len(test(config, work_dir + '/epoch_2.pth', work_dir,
                                 launcher='pytorch'))),
))
threads = [path.read_text() for path in Path('/proc/self/task').glob('*/comm')]
assert not [name for name in threads if 'gloo' in name], threads
sys.exit(exit_code)
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason='tests the road without a GPU')
def test_two_processes_without_a_gpu(toy_config, tmp_path):
    script, work_dir = tmp_path / 'launched.py', tmp_path / 'w'
    script.write_text(LAUNCHED)
    result = subprocess.run(
        [
            *(sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2'),
            *('--standalone', str(script), str(toy_config), str(work_dir)),
        ],
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join([str(tmp_path), os.getcwd()]),
            'OMP_NUM_THREADS': '1',
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    log = ''.join(p.read_text() for p in work_dir.glob('*/*.log'))
    assert '2 episodes x 4 accumulated x 2 processes = 16 episodes per update' in log
    assert (work_dir / 'metrics.json').is_file()


def test_every_run_logs_into_its_own_folder(toy_config, tmp_path):
    backends = [dict(type='LocalVisBackend')]
    named = dict(type='Visualizer', name='visualizer', vis_backends=backends)
    for name in ('first', 'second'):
        api.train(toy_config, tmp_path / name, cfg_options={'visualizer': named})
    for name in ('first', 'second'):
        assert len(list((tmp_path / name).glob('*/vis_data/scalars.json'))) == 1, name


def test_tensorboard_is_left_out_where_it_is_not_installed(monkeypatch, log_records):
    monkeypatch.setattr(api, 'find_spec', lambda name: None)
    local, board = dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')
    visualizer = dict(vis_backends=[local, board])
    api.leave_out_tensorboard(visualizer)
    assert visualizer == dict(vis_backends=[local])
    (message,) = [record.getMessage() for record in log_records]
    assert 'pip install tensorboard' in message
    monkeypatch.setattr(api, 'find_spec', lambda name: object())
    wanted = dict(vis_backends=[local, board])
    api.leave_out_tensorboard(wanted)
    assert wanted == dict(vis_backends=[local, board])
