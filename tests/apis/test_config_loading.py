"""Overrides, resume and mixed precision, before anything is built."""

from __future__ import annotations

import pytest
import torch

from cape_mm.apis.config_loading import (
    count_in_iterations,
    load_config,
    set_amp,
    set_work_dir,
)
from cape_mm.errors import ConfigError


def test_missing_config_lists_its_neighbours(toy_config):
    with pytest.raises(
        ConfigError, match='typo.py does not exist. Found there: .*toy.py'
    ):
        load_config(toy_config.with_name('typo.py'))


def test_override_that_does_not_fit(toy_config):
    with pytest.raises(ConfigError, match='do not fit .*toy.py'):
        load_config(toy_config, {'data_root.x': 1})


def test_work_dir_priority(toy_config):
    cfg = load_config(toy_config)
    set_work_dir(cfg, None)
    assert cfg.work_dir == 'work_dirs/toy'
    set_work_dir(cfg, 'a')
    set_work_dir(cfg, None)
    assert cfg.work_dir == 'a'


def test_amp_without_gpu_is_bfloat16(toy_config, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg = load_config(toy_config)
    set_amp(cfg, False)
    assert cfg.optim_wrapper.type == 'OptimWrapper'
    set_amp(cfg, True)
    assert cfg.optim_wrapper.type == 'CpuAmpOptimWrapper'
    assert 'loss_scale' not in cfg.optim_wrapper
    cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')
    set_amp(cfg, False)
    assert cfg.optim_wrapper.type == 'CpuAmpOptimWrapper'
    assert 'loss_scale' not in cfg.optim_wrapper


@pytest.mark.parametrize(
    ('capability', 'dtype', 'loss_scale'),
    [
        ((9, 0), 'bfloat16', dict(enabled=False)),
        ((8, 0), 'bfloat16', dict(enabled=False)),
        ((7, 5), 'float16', 'dynamic'),
    ],
)
def test_amp_with_gpu(toy_config, monkeypatch, capability, dtype, loss_scale):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda: capability)
    # True by emulation on a T4 (7, 5)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda: True)
    cfg = load_config(toy_config)
    set_amp(cfg, True)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.dtype == dtype
    assert cfg.optim_wrapper.loss_scale == loss_scale


def test_amp_refuses_other_wrappers(toy_config):
    cfg = load_config(toy_config, {'optim_wrapper.type': 'ApexOptimWrapper'})
    with pytest.raises(ConfigError, match="amp .*'ApexOptimWrapper'"):
        set_amp(cfg, True)


@pytest.mark.parametrize(
    'loop', [dict(type='IterBasedTrainLoop', max_iters=24), dict(by_epoch=False)]
)
def test_schedule_of_a_training_without_epochs(toy_config, loop):
    """Its length is what MMEngine then sets: that of the training, in iterations."""
    warm_up = dict(type='LinearLR', by_epoch=False, end=3)
    bounded = dict(type='MultiStepLR', by_epoch=True, milestones=[2])
    cosine = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
    cfg = load_config(toy_config)
    cfg.param_scheduler = [warm_up, cosine, bounded]
    cfg.train_cfg = dict(max_epochs=2)
    count_in_iterations(cfg)
    assert cfg.param_scheduler == [warm_up, cosine, bounded]
    cfg.train_cfg = loop
    count_in_iterations(cfg)
    counted = dict(type='CosineAnnealingLR', by_epoch=False)
    assert cfg.param_scheduler == [warm_up, counted, bounded]
    cfg.param_scheduler = cosine
    count_in_iterations(cfg)
    assert cfg.param_scheduler == counted
