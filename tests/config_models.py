"""Models of the shipped configs, without weights from the network, and one step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.optim import build_optim_wrapper
from mmpose.registry import MODELS
from tiny_cape import make_episode, prepare
from torch.nn.modules.batchnorm import _BatchNorm

from cape_mm.apis import load_config

CONFIG_DIR = Path(__file__).resolve().parents[1] / 'configs'
ROUNDING = {'head.pointer.correction.2.bias'}
"""Moves all candidates alike, so that its gradient is zero or next to it."""

BACKBONES = ('backbone', 'support_backbone')


def find_configs(folder: str = '') -> list[str]:
    """Names of the configs of a folder, without suffix, relative to ``configs``."""
    paths = sorted((CONFIG_DIR / folder).glob('*.py'))
    return [path.relative_to(CONFIG_DIR).with_suffix('').as_posix() for path in paths]


def read_config(name: str) -> Config:
    """A config without the weights that would have to be downloaded."""
    cfg = load_config(CONFIG_DIR / f'{name}.py')
    for part in BACKBONES:
        if cfg.model.get(part) is not None:
            cfg.model[part].init_cfg = None
    return cfg


def build_model(cfg: Config) -> BaseModule:
    """The config's model, with no weight at zero."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    for parameter in model.parameters():
        if not parameter.any():  # a zero stops the gradient of what lies before it
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def check_learning_rates(model: BaseModule, cfg: Config) -> None:
    """A backbone's rate is a tenth where it has pretrained weights and learns."""
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    lr = cfg.optim_wrapper.optimizer.lr
    is_pretrained = bool(cfg.optim_wrapper.get('paramwise_cfg'))
    rates = {id(p): g['lr'] for g in wrapper.param_groups for p in g['params']}
    for name, parameter in model.named_parameters():
        is_backbone = name.split('.')[0] in BACKBONES
        expected = lr * (0.1 if is_pretrained and is_backbone else 1.0)
        assert rates[id(parameter)] == pytest.approx(expected), name


def check_frozen_statistics(model: BaseModule) -> None:
    """In training mode no BatchNorm uses the statistics of a micro-batch."""
    model.train()
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    assert not any(norm.training for norm in norms)


def learn(model: BaseModule, items: list[dict]) -> set[str]:
    """Losses and gradients of a batch; the parameters that got no gradient."""
    torch.manual_seed(0)  # of which history is hidden, whatever the weights took
    losses = model(**prepare(model, items), mode='loss')
    assert all(key.startswith('loss_') for key in losses)
    sum(losses.values()).backward()
    return {
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and (parameter.grad is None or not parameter.grad.any())
    }


def check_step(
    cfg: Config, model: BaseModule, idle: set[str], num_queries: int = 2
) -> None:
    """One batch through loss and prediction; only ``idle`` parameters learn nothing."""
    num_shots = cfg.train_dataloader.sampler.num_shots
    shots = num_shots if isinstance(num_shots, tuple) else (num_shots, num_shots)
    items = [make_episode(i, 5 + i, shots[i], num_queries) for i in range(2)]
    assert learn(model, items) - ROUNDING == idle
    # distributed training waits for every gradient unless it is told to look
    learning = (p for p in model.parameters() if p.requires_grad)
    is_unused = any(parameter.grad is None for parameter in learning)
    assert cfg.get('find_unused_parameters', False) is is_unused

    model.eval()
    samples = model(**prepare(model, items), mode='predict')
    for i, sample in enumerate(samples):
        points = sample.pred_instances.keypoints_orig
        assert points.shape == (num_queries, 5 + i, 2)
        assert torch.isfinite(points).all()
