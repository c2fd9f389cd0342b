"""Building the parts of a model, with messages that name the part."""

from __future__ import annotations

import inspect
import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.logging import print_log
from mmpose.registry import MODELS
from torch import nn

from ...errors import ConfigError
from ...utils.value_checks import check_at_least, check_options

WRONG_ARGUMENT = re.compile(
    r'(?P<owner>\S+?)(?:\.__init__)?\(\) (?P<problem>'
    r"got an unexpected keyword argument '.+?'|missing \d+ required .*)"
)
"""What Python says of a call with other arguments than a function has."""


def build_part(name: str, config: Mapping) -> nn.Module:
    """Build a registered part.

    Args:
        name: key of the part in the model's config, for the message.
        config: its own config.

    Raises:
        ConfigError: the part refuses a value; or it, or what it is made of, does not
            have an argument of that name or lacks one.
    """
    with naming(name):
        return MODELS.build(config)


def make_part(
    name: str, cls: type[nn.Module], embed_dims: int, options: Mapping | None
) -> nn.Module:
    """Make a part whose config holds nothing but its arguments.

    Args:
        name: key of the part in the model's config, for the message.
        cls: the part.
        embed_dims: first argument, which the options can't set.
        options: the others by name.

    Raises:
        ConfigError: there is no such option, or the part refuses a value.
    """
    known = [key for key in inspect.signature(cls).parameters if key != 'embed_dims']
    given = check_options(f'model.{name}', options, known)
    with naming(name):
        return cls(embed_dims, **given)


def build_image_part(
    prefix: str,
    backbone: Mapping | None,
    neck: Mapping,
    embed_dims: int,
    memory_format: torch.memory_format,
) -> tuple[nn.Module | None, nn.Module | None]:
    """Backbone and neck of one kind of images; two None without a backbone.

    Args:
        prefix: of their keys in the model's config.
        backbone: config of the backbone.
        neck: config of the neck.
        embed_dims: C, the channels that the neck has to give.
        memory_format: of their weights.

    Raises:
        ConfigError: as :func:`build_part`; or the neck gives other channels.
    """
    if backbone is None:
        return None, None
    built_backbone = build_part(f'{prefix}backbone', backbone)
    given, wanted = getattr(built_backbone, 'channels', None), neck.get('in_channels')
    if given and isinstance(wanted, (list, tuple)) and list(given) != list(wanted):
        raise ConfigError(
            f'model.{prefix}neck: in_channels={list(wanted)}, but the backbone gives '
            f'{list(given)}'
        )
    built = built_backbone, build_part(f'{prefix}neck', neck)
    channels = getattr(built[1], 'out_channels', embed_dims)
    if isinstance(channels, int) and channels != embed_dims:
        raise ConfigError(
            f'model.{prefix}neck: out_channels={channels}, but '
            f'model.embed_dims={embed_dims}: they must be equal'
        )
    return tuple(part.to(memory_format=memory_format) for part in built)


def check_embed_dims(embed_dims: int) -> None:
    """Check C, of which a place in the image takes a multiple of 4.

    Raises:
        ConfigError: it is none.
    """
    check_at_least('model.embed_dims', embed_dims, 4)
    if embed_dims % 4:
        raise ConfigError(f'model.embed_dims must be a multiple of 4, got {embed_dims}')


@contextmanager
def naming(part: str) -> Iterator[None]:
    """Name the part of the model that is built inside in what its config caused.

    Raises:
        ConfigError: of the part, or for a wrong argument.
    """
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f'model.{part}: {error}') from error
    except TypeError as error:
        found = WRONG_ARGUMENT.search(str(error))
        if found is None:  # a defect, not a config
            raise
        raise ConfigError(
            f'model.{part}: {found["owner"]} {found["problem"]}'
        ) from error
    except AssertionError as error:  # how MMCV and MMPose refuse, often without a word
        line = traceback.extract_tb(error.__traceback__)[-1].line
        raise ConfigError(f'model.{part}: {str(error) or line}') from error


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
