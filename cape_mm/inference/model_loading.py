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
from ..compat.stored_config import read_stored_config, without_initialisation
from ..errors import CheckpointError, ConfigError
from ..models import CAPE, SharedEncoderCAPE
from ..utils.devices import check_device

WEIGHTS_IN_THE_BOX = Path(__file__).resolve().parents[1] / 'weights/cape_lite0.pth'
"""The checkpoint that comes with the package, used where none is named."""
READ_KEYS = ('model', 'test_dataloader')
"""Top-level keys of a config that prediction looks at."""


def find_checkpoint(checkpoint: str | Path | None) -> Path:
    """The file of weights that is meant: the one named, or that of the package.

    Raises:
        CheckpointError: none is named, and the package has none.
    """
    if checkpoint is not None:
        return Path(checkpoint)
    if not WEIGHTS_IN_THE_BOX.is_file():
        raise CheckpointError(
            f'no checkpoint is named, and the one that comes with cape_mm is missing: '
            f'{WEIGHTS_IN_THE_BOX}. Fetch it (git checkout -- cape_mm/weights, or '
            f'install cape_mm again), or name a checkpoint, e.g. '
            f'work_dirs/cape_tiny/epoch_4.pth of `make demo`.'
        )
    return WEIGHTS_IN_THE_BOX


def load_model(
    checkpoint: str | Path | None = None,
    config: str | Path | Config | None = None,
    device: str | torch.device | None = None,
    cfg_options: Mapping | None = None,
) -> tuple[nn.Module, Config]:
    """Build a config's model with the weights of a checkpoint, ready to predict.

    Args:
        checkpoint: file of weights, of any precision; None takes the one that comes
            with the package.
        config: config file or a loaded config; None takes the one that the checkpoint
            holds, which may name listed parts only and is never run.
        device: e.g. ``'cuda:1'``; None takes a GPU if there is one.
        cfg_options: overrides of the config.

    Raises:
        ConfigError: the config can't be read or used, or has no checkpoint beside it.
        CheckpointError: the checkpoint can't be read, does not fit the model, or holds
            no usable config where none was given.
    """
    device = check_device(None if device is None else str(device))
    if checkpoint is None and config is not None:
        raise ConfigError('a config is named without the checkpoint that belongs to it')
    checkpoint = find_checkpoint(checkpoint)
    content = read_checkpoint(checkpoint)
    if config is None:
        cfg = read_stored_config(content.get('meta'), f'checkpoint {checkpoint}')
        if cfg is None:
            raise CheckpointError(
                f'checkpoint {checkpoint} holds no config: name the config file that '
                f'it was trained with'
            )
    else:
        cfg = read_config(config)
    override(cfg, cfg_options or {})
    if not isinstance(cfg.get('model'), Mapping):
        raise ConfigError(f'the config of {checkpoint} has no model')
    model_cfg = ConfigDict(without_initialisation(cfg.model))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpose'):
        if device.type == 'cpu':
            _suit_a_cpu(model_cfg)
        try:
            model = MODELS.build(model_cfg)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f'the model of the config can not be built: {error}'
            ) from error
    load_weights(model, content, checkpoint)
    return model.to(device).eval(), cfg


def read_config(config: str | Path | Config) -> Config:
    """A copy of a config, or what a config file holds.

    Raises:
        ConfigError: the file can't be read.
    """
    if isinstance(config, Config):
        return Config(config.to_dict())
    try:
        return Config.fromfile(config)
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f'config file {config} can not be read: {error}') from error


def override(cfg: Config, options: Mapping) -> None:
    """Change what prediction reads of a config, in place.

    Raises:
        ConfigError: an option would do nothing, or does not fit.
    """
    for name in options:
        if name.split('.')[0] not in READ_KEYS:
            raise ConfigError(
                f'cfg_options {name}: prediction reads only {" and ".join(READ_KEYS)}'
            )
    try:
        cfg.merge_from_dict(dict(options))
    except (TypeError, KeyError) as error:
        raise ConfigError(f'cfg_options do not fit the config: {error}') from error


def _suit_a_cpu(model: ConfigDict) -> None:
    """Choose what is faster there and answers the same, where the config is silent."""
    if MODELS.get(model.get('type')) in (CAPE, SharedEncoderCAPE):
        model.setdefault('channels_last', True)
