"""A trained model from a checkpoint, with or without its config file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import nn

from ..compat.checkpoint import load_weights, read_checkpoint
from ..errors import CheckpointError, ConfigError
from ..models import CAPE, AutoregressiveHead
from ..utils.devices import check_device
from .stored_config import (
    check_stored_config,
    forget_initialisation,
    parse_config_text,
)

READ_KEYS = ('model', 'test_dataloader')
"""Top-level keys of a config that prediction looks at."""


def load_model(
    checkpoint: str | Path,
    config: str | Path | Config | None = None,
    device: str | torch.device | None = None,
    cfg_options: Mapping | None = None,
) -> tuple[nn.Module, Config]:
    """Build a config's model with the weights of a checkpoint, ready to predict.

    Args:
        checkpoint: file of weights.
        config: config file or a loaded config; None takes the one that the checkpoint
            holds, which is parsed and never run.
        device: e.g. ``'cuda:1'``; None takes a GPU if there is one.
        cfg_options: overrides of a config file.

    Raises:
        ConfigError: the config can't be read or has no model.
        CheckpointError: the checkpoint can't be read, does not fit the model, or holds
            no usable config where none was given.
    """
    device = check_device(None if device is None else str(device))
    content = read_checkpoint(checkpoint)
    cfg = _find_config(content, checkpoint, config, cfg_options)
    if cfg.get('model') is None:
        raise ConfigError(f'the config of {checkpoint} has no model')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpose'):
        if device.type == 'cpu':
            _suit_a_cpu(cfg.model)
        forget_initialisation(cfg.model)  # the checkpoint has all weights
        model = _build(cfg.model)
    load_weights(model, content, checkpoint)
    return model.to(device).eval(), cfg


def _build(model: ConfigDict) -> nn.Module:
    """Build a model, with MMEngine's words where its config is wrong."""
    try:
        return MODELS.build(model)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"the config's model can not be built: {error}") from error


def _suit_a_cpu(model: ConfigDict) -> None:
    """Choose what is faster there and answers the same, where the config is silent."""
    if MODELS.get(model.get('type')) is CAPE:
        model.setdefault('channels_last', True)
        head = model.get('head') or {}
        if MODELS.get(head.get('type')) is AutoregressiveHead:
            head.setdefault('test_decoding', 'passes')


def _find_config(
    content: Mapping,
    checkpoint: str | Path,
    config: str | Path | Config | None,
    cfg_options: Mapping | None,
) -> Config:
    if isinstance(config, Config):
        return Config(config.to_dict())
    if config is not None:
        return _read_config(config, cfg_options)
    text = (content.get('meta') or {}).get('cfg')
    source = f'checkpoint {checkpoint}'
    if not text:
        raise CheckpointError(
            f'{source} holds no config: name the config file that it was trained with'
        )
    cfg = parse_config_text(text, source)
    check_stored_config(cfg, source)
    return _merge(cfg, cfg_options)


def _read_config(path: str | Path, options: Mapping | None) -> Config:
    try:
        return _merge(Config.fromfile(path), options)
    except (OSError, SyntaxError) as error:
        raise ConfigError(f'config file {path} can not be read: {error}') from error


def _merge(cfg: Config, options: Mapping | None) -> Config:
    """Override what prediction reads of a config; another key would do nothing."""
    for name in options or {}:
        if name.split('.')[0] not in READ_KEYS:
            raise ConfigError(
                f'--cfg-options {name}: prediction reads only {" and ".join(READ_KEYS)}'
            )
    try:
        cfg.merge_from_dict(dict(options or {}))
    except (TypeError, KeyError) as error:
        raise ConfigError(f'--cfg-options do not fit the config: {error}') from error
    return cfg
