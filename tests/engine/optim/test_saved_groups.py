"""Optimizer states of other groupings and machines, loaded or refused."""

from __future__ import annotations

import copy
from uuid import uuid4

import pytest
import torch
from grouped_toy import (
    MMENGINES,
    OURS,
    SLOW_BACKBONE,
    GroupedModel,
    build_wrapper,
    learn,
)
from toy_runner import build_toy_runner

from cape_mm.engine.optim.saved_groups import merge_saved_groups
from cape_mm.errors import CheckpointError

SCHEDULES = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=6),
    # its end value is a share of every group's own rate
    dict(type='CosineAnnealingLR', eta_min_ratio=0.5, by_epoch=False, T_max=40),
]


def train(work_dir, constructor, max_epochs, resume=None, paramwise=SLOW_BACKBONE):
    """A training in the real runner; ten updates per epoch, a checkpoint of each."""
    runner = build_toy_runner(
        work_dir,
        [],
        GroupedModel(),
        max_epochs=max_epochs,
        accumulative_counts=1,
        optim_wrapper=dict(
            constructor=constructor,
            optimizer=dict(type='AdamW', lr=0.02, weight_decay=0.01, fused=False),
            paramwise_cfg=paramwise,
        ),
        param_scheduler=copy.deepcopy(SCHEDULES),
        default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1)),
        resume=resume is not None,
        load_from=str(resume) if resume else None,
        experiment_name=uuid4().hex,
    )
    runner.train()
    return runner


def weights_of(runner):
    return dict(runner.model.named_parameters())


@pytest.mark.parametrize(
    'paramwise',
    [
        SLOW_BACKBONE,
        dict(custom_keys={'linear': dict(lr_mult=0.1)}),  # the slow ones come first
        dict(norm_decay_mult=0.0),
        dict(bypass_duplicate=True),  # one group
    ],
)
def test_an_older_checkpoint_goes_on_to_the_bit(tmp_path, paramwise):
    """Groups, both schedules and the base rate: as if nothing had changed."""
    old = train(tmp_path / 'old', MMENGINES, 2, paramwise=paramwise)
    middle = tmp_path / 'old/epoch_1.pth'
    new = train(tmp_path / 'new', OURS, 2, resume=middle, paramwise=paramwise)
    groups = new.optim_wrapper.optimizer.param_groups
    assert len(groups) < len(old.optim_wrapper.optimizer.param_groups)
    for name, weight in weights_of(old).items():
        assert torch.equal(weights_of(new)[name], weight), name
    rates = {id(p): g['lr'] for g in groups for p in g['params']}
    for group in old.optim_wrapper.optimizer.param_groups:
        name = next(n for n, p in weights_of(old).items() if p is group['params'][0])
        assert rates[id(weights_of(new)[name])] == group['lr']
    base = [r.optim_wrapper.get_lr().get('base_lr') for r in (old, new)]
    assert base[1] == (base[0] if len(groups) > 1 else None)
    for schedule in new.param_schedulers:
        assert len(schedule.base_values) == len(new.optim_wrapper.param_groups)


def test_a_checkpoint_of_today_goes_on_to_the_bit(tmp_path):
    whole = train(tmp_path / 'whole', OURS, 2)
    middle = tmp_path / 'whole/epoch_1.pth'
    resumed = train(tmp_path / 'resumed', OURS, 2, resume=middle)
    for name, weight in weights_of(whole).items():
        assert torch.equal(weights_of(resumed)[name], weight), name


def test_other_groups_are_refused_with_what_to_do(tmp_path):
    train(tmp_path / 'old', MMENGINES, 1, paramwise=dict(norm_decay_mult=0.0))
    with pytest.raises(CheckpointError, match='has 10 parameter groups.*paramwise_cfg'):
        train(tmp_path / 'new', OURS, 2, resume=tmp_path / 'old/epoch_1.pth')


def test_weights_alone_are_taken_from_other_groups(tmp_path):
    train(tmp_path / 'old', MMENGINES, 1, paramwise=dict(norm_decay_mult=0.0))
    checkpoint = torch.load(tmp_path / 'old/epoch_1.pth', weights_only=False)
    model = GroupedModel()
    assert merge_saved_groups(checkpoint, model, build_wrapper(model).optimizer) == {}


def test_groups_of_today_and_of_other_models_are_not_merged():
    model, smaller = GroupedModel(), GroupedModel()
    del smaller.last
    optimizer = build_wrapper(model).optimizer
    for wrapper in (build_wrapper(model), build_wrapper(smaller, MMENGINES)):
        checkpoint = dict(optimizer=wrapper.state_dict())
        assert merge_saved_groups(checkpoint, model, optimizer) == {}
    assert merge_saved_groups(dict(state_dict={}), model, optimizer) == {}
    for state in (build_wrapper(smaller).optimizer, build_wrapper(model, MMENGINES)):
        state = state.state_dict()
        state.pop('base_param_settings', None)
        with pytest.raises(CheckpointError, match='2 parameter groups of 10 tensors'):
            optimizer.load_state_dict(state)


def test_every_parameter_keeps_its_own_state():
    """Also where some are frozen, which no group has."""
    model = GroupedModel()
    model.backbone[0].weight.requires_grad = False
    old, new = build_wrapper(model, MMENGINES), build_wrapper(model)
    learn(model, old)
    checkpoint = dict(optimizer=old.state_dict())
    state = merge_saved_groups(checkpoint, model, new.optimizer)['optimizer']
    new.load_state_dict(state)
    states = [wrapper.optimizer.state for wrapper in (old, new)]
    assert len(states[1]) == 9
    for weight, moments in states[0].items():
        for key, value in moments.items():
            assert torch.equal(states[1][weight][key], value)


def test_the_checkpoint_stays_as_it_is():
    model = GroupedModel()
    checkpoint = dict(
        optimizer=build_wrapper(model, MMENGINES).state_dict(),
        param_schedulers=[dict(base_values=[*range(10), -1], milestones=[1, 2])],
    )
    before = copy.deepcopy({**checkpoint, 'optimizer': checkpoint['optimizer'].copy()})
    states = merge_saved_groups(checkpoint, model, build_wrapper(model).optimizer)
    fast, slow, base = states['param_schedulers'][0]['base_values']
    assert (fast, slow, base) == (0, 2, -1)
    assert states['param_schedulers'][0]['milestones'] == [1, 2]
    assert len(states['optimizer']['param_groups']) == 2
    assert checkpoint == before


def test_groups_that_mmengine_would_make_too_are_left_alone():
    model = GroupedModel()
    wrapper = build_wrapper(model, MMENGINES)
    checkpoint = dict(optimizer=wrapper.state_dict())
    assert merge_saved_groups(checkpoint, model, wrapper.optimizer) == {}


@pytest.mark.parametrize('is_fused', [None, False])
def test_the_way_of_computing_is_this_machines(is_fused):
    """A checkpoint from a GPU, fused there, on a machine that can not, or will not."""
    model = GroupedModel()
    wrapper = build_wrapper(model, fused=is_fused)
    learn(model, wrapper)
    state = copy.deepcopy(wrapper.state_dict())
    for group in state['param_groups']:
        group.update(fused=True, foreach=True, capturable=True, lr=0.03)
    wrapper.load_state_dict(state)
    for group in wrapper.optimizer.param_groups:
        ways = (group['fused'], group['foreach'], group['capturable'])
        assert ways == (is_fused, None, False)
        assert group['lr'] == 0.03  # the rate is the checkpoint's
    learn(model, wrapper)
