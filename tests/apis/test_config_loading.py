"""Overrides, resume and mixed precision, before anything is built."""

from __future__ import annotations

import pytest
import torch

from cape_mm.apis import config_loading
from cape_mm.apis.config_loading import (
    find_last_checkpoint,
    load_config,
    set_amp,
    set_resume,
    set_work_dir,
)
from cape_mm.errors import CheckpointError, ConfigError


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
    with pytest.raises(ConfigError, match="--amp .*'ApexOptimWrapper'"):
        set_amp(cfg, True)


def test_resume_from_a_path_that_does_not_exist(toy_config, tmp_path):
    cfg = load_config(toy_config, {'work_dir': str(tmp_path)})
    with pytest.raises(CheckpointError, match='nope.pth does not exist. Nothing was'):
        set_resume(cfg, 'nope.pth')


def test_auto_resume_starts_afresh_only_without_any_checkpoint(
    toy_config, tmp_path, monkeypatch
):
    logged = []
    monkeypatch.setattr(
        config_loading, 'print_log', lambda message, logger: logged.append(message)
    )
    cfg = load_config(toy_config, {'work_dir': str(tmp_path)})
    set_resume(cfg, 'auto')
    assert cfg.resume is False
    assert logged == [f'--resume: no checkpoint in {tmp_path}, starting from scratch']

    (tmp_path / 'last_checkpoint').write_text('/gone/epoch_3.pth')
    (tmp_path / 'epoch_2.pth').touch()
    with pytest.raises(CheckpointError, match='epoch_3.pth.*beside it: epoch_2.pth'):
        set_resume(cfg, 'auto')


def test_moved_work_dir_resumes_from_the_file_beside(toy_config, tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/old/place/epoch_3.pth')
    (tmp_path / 'epoch_3.pth').touch()
    assert find_last_checkpoint(tmp_path) == tmp_path / 'epoch_3.pth'
    cfg = load_config(toy_config, {'work_dir': str(tmp_path), 'resume': True})
    set_resume(cfg, None)
    assert cfg.load_from == str(tmp_path / 'epoch_3.pth')


def test_no_resume_leaves_load_from_alone(toy_config):
    cfg = load_config(toy_config, {'load_from': 'x.pth'})
    set_resume(cfg, None)
    assert cfg.load_from == 'x.pth'
    assert not cfg.get('resume')
