"""Weights that other projects published."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmengine.runner import CheckpointLoader


def checkpoint_of(init_cfg: object) -> str | None:
    """The file that a backbone's ``init_cfg`` names, None if it names none."""
    if isinstance(init_cfg, Mapping) and init_cfg.get('type') == 'Pretrained':
        return str(init_cfg['checkpoint'])
    return None


def read_weights(path: str) -> dict[str, torch.Tensor]:
    """Read the weights of a file, on the CPU.

    Projects keep them under ``model``, under ``state_dict`` or bare.

    Args:
        path: what MMEngine's ``init_cfg`` takes: a file, an address, ``torchvision://``.

    Returns:
        Tensors by the name that the project gave them, without ``module.`` and
        ``backbone.`` in front.

    Raises:
        RuntimeError: the file holds no weights.
    """
    weights = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    for key in ('state_dict', 'model'):
        if isinstance(weights, Mapping) and isinstance(weights.get(key), Mapping):
            weights = weights[key]
    if not isinstance(weights, Mapping):
        raise RuntimeError(f'{path} holds a {type(weights).__name__}, not weights')
    tensors = {k: v for k, v in weights.items() if isinstance(v, torch.Tensor)}
    return strip_prefixes(tensors)


def strip_prefixes(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Take ``module.`` and ``backbone.`` off the front of all names."""
    return {
        name.removeprefix('module.').removeprefix('backbone.'): value
        for name, value in weights.items()
    }
