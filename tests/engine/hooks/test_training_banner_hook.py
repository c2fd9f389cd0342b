"""The start-up banner says what the run is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import AmpOptimWrapper

from cape_mm.engine.hooks.training_banner_hook import (
    TrainingBannerHook,
    describe_model,
    describe_precision,
    format_rows,
)


def test_block_in_the_log_states_the_effective_batch(toy, tmp_path):
    runner = toy.build_toy_runner(
        tmp_path,
        [TrainingBannerHook()],
        max_epochs=2,
        clip_grad=dict(max_norm=1.0),
        validate=True,
    )
    runner.train()
    log = toy.read_log(runner)
    assert (
        '2 episodes x 4 accumulated x 1 process = 8 episodes per update '
        '(effective batch)' in log
    )
    assert '2 epochs x 10 iterations = 2 x 3 updates' in log  # windows 4, 4, 2
    assert 'ToyModel: 0.00 M parameters, all trainable' in log
    assert "SGD, lr 0.001 (0.00 M), clipped {'max_norm': 1.0}" in log
    assert 'float32, no autocast' in log
    assert str(tmp_path) in log


@pytest.mark.parametrize('shots, text', [(1, '1'), ((1, 5), '1 to 5')])
def test_rows_show_categories_instances_shots_and_queries(toy, tmp_path, shots, text):
    hook = TrainingBannerHook()
    runner = toy.build_toy_runner(tmp_path, [hook])
    dataset, sampler = runner.train_dataloader.dataset, runner.train_dataloader.sampler
    dataset.categories = {1: 'cat', 2: 'dog'}
    sampler.num_shots, sampler.num_queries = shots, 15
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert hook.collect_rows(runner, {})['train data'] == (
        f'ToyDataset: 2 categories, 20 usable instances, num_shots {text}, '
        f'num_queries 15'
    )


def test_by_iteration_schedule_counts_updates(toy, tmp_path):
    runner = toy.build_toy_runner(
        tmp_path,
        [TrainingBannerHook()],
        train_cfg=dict(by_epoch=False, max_iters=9),
    )
    runner.train()
    assert '9 iterations = 3 updates' in toy.read_log(runner)


def test_describe_model_counts_frozen_parameters():
    model = torch.nn.Sequential(torch.nn.Linear(999, 1000), torch.nn.Linear(999, 1000))
    model[0].requires_grad_(False)
    assert describe_model(model) == 'Sequential: 2.00 M parameters, 1.00 M trainable'


def test_format_rows_aligns_values():
    lines = format_rows('T', {'a': '1', 'long': '2'}).splitlines()
    assert lines[4:6] == ['a     1', 'long  2']


@pytest.mark.parametrize(
    ('dtype', 'growth', 'scale', 'expected'),
    [
        (torch.float16, None, 65536.0, 'float16 autocast with loss scaling'),
        (None, 512.0, 512.0, 'float16 autocast with loss scaling'),
        (torch.bfloat16, 1.0, 1.0, 'bfloat16 autocast'),
    ],
)
def test_loss_scaling_is_named_only_where_it_scales(dtype, growth, scale, expected):
    wrapper = AmpOptimWrapper.__new__(AmpOptimWrapper)  # its constructor asks for a GPU
    wrapper.cast_dtype, wrapper._scale_update_param = dtype, growth
    wrapper.loss_scaler = SimpleNamespace(
        is_enabled=lambda: True, get_scale=lambda: scale
    )
    assert describe_precision(SimpleNamespace(optim_wrapper=wrapper)) == expected


def set_categories(dataset, names):
    dataset.categories = {i: SimpleNamespace(name=name) for i, name in names.items()}
    dataset.instances_by_category = {i: [(i, i)] for i in names}


@pytest.mark.parametrize(
    ('val', 'row', 'is_warned'),
    [
        ({3: 'emu', 4: 'elk'}, '2, none of them trained on', False),
        ({1: 'face', 2: 'dog'}, '2, none of them trained on', False),
        ({1: 'cat', 4: 'elk'}, '2, 1 of them trained on', True),
    ],
)
def test_val_categories(toy, tmp_path, val, row, is_warned):
    runner = toy.build_toy_runner(tmp_path, [TrainingBannerHook()], validate=True)
    set_categories(runner.train_dataloader.dataset, {1: 'cat', 2: 'face'})
    set_categories(runner._val_dataloader.dataset, val)
    runner.train()
    log = toy.read_log(runner)
    assert f'val categories  {row}\n' in log
    assert ('are also trained on (cat): val results say' in log) == is_warned
    assert ('novel categories' in log) == is_warned
    trained = runner.message_hub.state_dict()['runtime_info']['train_categories']
    assert trained == [[1, 'cat'], [2, 'face']]
