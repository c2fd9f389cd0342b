"""The model of a config, ready to be measured."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from mmpose.registry import MODELS
from torch import nn

from ...apis.config_checks import (
    check_data_files,
    check_dataloader,
    check_model,
    iterate_datasets,
)
from ...apis.config_loading import BFLOAT16_CAPABILITY, load_config, set_amp
from ...apis.pretrained import drop_pretrained
from ...apis.quiet import quiet_training
from ...errors import ConfigError
from ...utils.devices import check_device
from .made_input import make_batch
from .settings import BenchmarkSettings

ZERO_STD = 0.02
"""Spread of weights that would start at zero."""


@dataclass
class Subject:
    """What is measured.

    Attributes:
        config: path of the config file.
        model: on its device, in training mode or not.
        device: that device.
        batches: collated batches on the CPU, without end.
        sizes: of the input, for the report; what only the data know is missing.
        optim_wrapper: None unless the mode is 'train'.
        amp_dtype: of autocast in prediction; None is full precision.
    """

    config: str
    model: nn.Module
    device: torch.device
    batches: Iterator[dict]
    sizes: dict
    optim_wrapper: OptimWrapper | None
    amp_dtype: torch.dtype | None

    def autocast(self) -> AbstractContextManager:
        """Mixed precision of prediction; training has its optim wrapper's.

        Combine it with ``torch.no_grad``: in inference mode autocast does not keep the
        weights that it has cast and casts them again at every use.
        """
        enabled = self.amp_dtype is not None
        return torch.autocast(self.device.type, self.amp_dtype, enabled=enabled)


def prepare(
    config: str | Path, settings: BenchmarkSettings, cfg_options: Mapping | None
) -> Subject:
    """Build a config's model with random weights, and its input.

    Raises:
        CapeError: what the config or the data makes impossible.
    """
    cfg = load_config(config, cfg_options)
    if 'model' not in cfg:
        raise ConfigError(f'config file {config} has no model: nothing to measure')
    device = check_device(settings.device)
    if device.type == 'cuda':
        # 'cuda' without a number is the current device already
        if device.index is not None:
            torch.cuda.set_device(device)
        benchmark = (cfg.get('env_cfg') or {}).get('cudnn_benchmark', False)
        torch.backends.cudnn.benchmark = benchmark
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')):
        is_training = settings.mode == 'train'
        model = build_model(cfg, settings.seed, device).train(is_training)
        sizes, batches = make_batches(cfg, settings, device)
        wrapper = build_wrapper(cfg, model, settings) if is_training else None
    dtype = prediction_dtype(device) if settings.amp else None
    return Subject(str(config), model, device, batches, sizes, wrapper, dtype)


def build_model(cfg: Config, seed: int, device: torch.device) -> nn.Module:
    """The model with all weights random: none is read from a file, none is zero."""
    check_model(cfg.model)
    for name in drop_pretrained(cfg.model):
        print(f'{name}: random weights, init_cfg is ignored', file=sys.stderr)
    torch.manual_seed(seed)
    with warnings_only(MMLogger.get_current_instance()):
        model = MODELS.build(cfg.model)
        model.init_weights()
    # a correction that starts at zero would make every decoder look exact
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=ZERO_STD)
    return model.to(device)


@contextmanager
def warnings_only(logger: logging.Logger) -> Iterator[None]:
    """Leave out MMEngine's two lines about the initialisation of every parameter."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def make_batches(
    cfg: Config, settings: BenchmarkSettings, device: torch.device
) -> tuple[dict, Iterator[dict]]:
    """Sizes of the input, and batches without end."""
    sizes = settings.complete(cfg)
    if settings.loader:
        loader = build_loader(cfg, settings)
        sizes |= dict(num_keypoints=None, num_shots=None, num_queries=None)
        sizes |= dict(batch_size=loader.batch_size, num_workers=loader.num_workers)
        return sizes, endless(loader)
    numbers = sizes | dict(num_keypoints=sizes['num_keypoints'][0])
    batch = make_batch(settings.seed, **numbers)
    if device.type == 'cuda' and (cfg.get('train_dataloader') or {}).get('pin_memory'):
        inputs = batch['inputs']
        batch['inputs'] = {name: part.pin_memory() for name, part in inputs.items()}
    return sizes, itertools.repeat(batch)


def build_loader(
    cfg: Config, settings: BenchmarkSettings
) -> torch.utils.data.DataLoader:
    """The config's train_dataloader, with the batch size and shots asked for.

    Raises:
        ConfigError: there is none, or it gives no batch.
        MissingDataError: its data does not exist.
    """
    if cfg.get('train_dataloader') is None:
        raise ConfigError('--loader: the config has no train_dataloader')
    loader_cfg = cfg.train_dataloader
    if settings.batch_size is not None:
        loader_cfg.batch_size = settings.batch_size
    for name in ('num_shots', 'num_queries'):
        if getattr(settings, name) is not None:
            loader_cfg.sampler[name] = getattr(settings, name)
    check_dataloader(loader_cfg, 'train_dataloader')
    for dataset in iterate_datasets(loader_cfg.dataset):
        check_data_files(dataset, 'train_dataloader', 'data_root')
    loader = Runner.build_dataloader(loader_cfg, seed=settings.seed)
    if not len(loader):
        raise ConfigError('--loader: an epoch has fewer episodes than one batch')
    return loader


def endless(loader: torch.utils.data.DataLoader) -> Iterator[dict]:
    """Batches of epoch after epoch."""
    for epoch in itertools.count():
        if hasattr(loader.sampler, 'set_epoch'):
            loader.sampler.set_epoch(epoch)
        yield from loader


def build_wrapper(
    cfg: Config, model: nn.Module, settings: BenchmarkSettings
) -> OptimWrapper:
    """The config's optimiser, and what a training would do to the model before.

    Raises:
        ConfigError: the config has no optimiser.
    """
    if cfg.get('optim_wrapper') is None:
        raise ConfigError('--mode train: the config has no optim_wrapper')
    if next(model.parameters()).is_cuda or not torch.cuda.is_available():
        set_amp(cfg, settings.amp)
    elif settings.amp or cfg.optim_wrapper.get('type') == 'AmpOptimWrapper':
        raise ConfigError(
            '--device cpu with mixed precision: hide the GPU (CUDA_VISIBLE_DEVICES=)'
        )
    if cfg.get('activation_checkpointing'):
        turn_on_activation_checkpointing(model, cfg.activation_checkpointing)
    if cfg.get('efficient_conv_bn_eval'):
        turn_on_efficient_conv_bn_eval(model, cfg.efficient_conv_bn_eval)
    with quiet_training(MMLogger.get_current_instance()):
        return build_optim_wrapper(model, cfg.optim_wrapper)


def prediction_dtype(device: torch.device) -> torch.dtype:
    """What autocast computes in, as in training."""
    has_bfloat16 = (
        device.type == 'cpu'
        or torch.cuda.get_device_capability(device) >= BFLOAT16_CAPABILITY
    )
    return torch.bfloat16 if has_bfloat16 else torch.float16
