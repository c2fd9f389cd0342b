"""A trained model from a checkpoint, with or without its config file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import nn

from ...errors import CheckpointError, ConfigError
from ...models import CAPE, AutoregressiveHead
from ..checkpoint import load_weights, read_checkpoint
from ..config_checks import check_model
from ..config_loading import load_config
from ..devices import check_device
from ..pretrained import drop_pretrained
from .stored_config import check_stored_config, parse_config_text


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
        check_model(cfg.model)
        drop_pretrained(cfg.model)  # the checkpoint has all weights
        model = MODELS.build(cfg.model)
    load_weights(model, content, checkpoint)
    return model.to(device).eval(), cfg


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
        return load_config(config, cfg_options)
    text = (content.get('meta') or {}).get('cfg')
    source = f'checkpoint {checkpoint}'
    if not text:
        raise CheckpointError(
            f'{source} holds no config: name the config file that it was trained with'
        )
    cfg = parse_config_text(text, source)
    check_stored_config(cfg, source)
    if cfg_options:
        cfg.merge_from_dict(dict(cfg_options))
    return cfg
