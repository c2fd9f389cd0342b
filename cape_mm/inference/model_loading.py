"""A trained model from a checkpoint, with or without its config file."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..compat.checkpoint import load_weights, read_checkpoint
from ..compat.stored_config import read_stored_config, without_initialisation
from ..errors import CheckpointError, ConfigError
from ..models import CAPE, SharedEncoderCAPE
from ..utils.devices import check_device

WEIGHTS_IN_THE_BOX = Path(__file__).resolve().parents[1] / 'weights/cape_lite0.pth'
"""The checkpoint that comes with the package, used where none is named."""
READ_KEYS = ('model', 'test_dataloader')
"""Top-level keys of a config that prediction looks at."""
FOLD_TOLERANCE = 1e-3
"""Difference allowed in a feature map, of its largest value."""


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


@torch.no_grad()
def fold_batch_norms(backbone: nn.Module, image_size: tuple[int, int]) -> nn.Module:
    """Fold every normalisation with fixed statistics into its convolution.

    Which convolution comes before it is known from the order of the modules, so the
    result is compared with the original on one picture: a backbone that normalises
    before it convolves is handed back as it is.

    Args:
        backbone: in evaluation mode; maps (B, 3, H, W) to a tuple of feature maps. It
            is not changed.
        image_size: (H, W) of the pictures that it gets.

    Returns:
        a folded copy, or the backbone itself where there is nothing to fold.
    """
    if not any(isinstance(module, _BatchNorm) for module in backbone.modules()):
        return backbone
    weight = next(backbone.parameters())
    random = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 3, *image_size, generator=random).to(weight)
    folded = deepcopy(backbone)
    _fold(folded)
    agree = all(
        (given - made).abs().max() <= FOLD_TOLERANCE * given.abs().max()
        for given, made in zip(backbone(picture), folded(picture), strict=True)
    )
    return folded if agree else backbone


def _fold(module: nn.Module) -> None:
    """Fold the normalisations of a module into its convolutions, in place.

    MMCV's ``fuse_conv_bn`` would drop the activation that timm's normalisations end in.
    """
    last = None
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and last is not None:
            setattr(module, last, fuse_conv_bn_eval(getattr(module, last), child))
            setattr(module, name, getattr(child, 'act', nn.Identity()))
            last = None
        elif isinstance(child, nn.Conv2d):
            last = name
        else:
            _fold(child)
