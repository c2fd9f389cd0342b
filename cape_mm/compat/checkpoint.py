"""Checkpoints, loaded completely or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from ..errors import CheckpointError
from .checkpoint_file import load_file

NUM_SHOWN = 3
"""Names of each kind that an error message lists."""


def read_checkpoint(path: str | Path, trust: bool | None = None) -> dict:
    """Read a checkpoint file without running code from it.

    Args:
        path: local file.
        trust: see :func:`~.checkpoint_file.load_file`.

    Returns:
        The checkpoint, with at least the key ``state_dict``; a bare state dict is
        wrapped. Prefixes ``module.`` of a distributed model are removed.

    Raises:
        CheckpointError: the file is missing, unreadable, or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        found = 'a folder' if path.is_dir() else 'no such file'
        raise CheckpointError(
            f'checkpoint {path}: {found}. Expected a .pth file that tools/train.py '
            f'wrote, e.g. work_dirs/<config>/epoch_<N>.pth.'
        )
    checkpoint = load_file(path, trust=trust)
    if not (isinstance(checkpoint, Mapping) and 'state_dict' in checkpoint):
        checkpoint = dict(state_dict=checkpoint)
    weights = checkpoint['state_dict']
    is_dict = isinstance(weights, Mapping) and len(weights) > 0
    if not is_dict or not all(isinstance(v, Tensor) for v in weights.values()):
        raise CheckpointError(
            f'checkpoint {path}: readable, but holds no weights (expected a dict of '
            f'tensors, or one under the key "state_dict").'
        )
    weights = {re.sub(r'^module\.', '', name): v for name, v in weights.items()}
    return {**checkpoint, 'state_dict': weights}


def describe_origin(checkpoint: Mapping) -> str:
    """Config and epoch that a checkpoint's meta data name, or ``'unknown'``."""
    meta = checkpoint.get('meta') or {}
    name = meta.get('experiment_name')
    if not name:
        return 'unknown'
    config = re.sub(r'_\d{8}_\d{6}$', '', str(name))  # MMEngine appends the time
    return f'{config}, epoch {meta.get("epoch", "?")}'


def load_weights(model: nn.Module, checkpoint: Mapping, path: str | Path) -> None:
    """Load all weights of a checkpoint into a model, or leave the model untouched.

    Args:
        model: the model, bare or in a distributed wrapper.
        checkpoint: what :func:`read_checkpoint` returned.
        path: where it was read from, for the message.

    Raises:
        CheckpointError: names are missing or left over, or shapes differ.
    """
    inner = model.module if is_model_wrapper(model) else model
    check_architecture(inner, checkpoint, path)
    inner.load_state_dict(checkpoint['state_dict'])


def check_architecture(model: nn.Module, checkpoint: Mapping, path: str | Path) -> None:
    """Refuse weights that do not fit a model; arguments as :func:`load_weights`."""
    misfits = find_misfits(model, checkpoint['state_dict'])
    if misfits:
        raise CheckpointError(
            f'checkpoint {path} does not fit the model {type(model).__name__}:\n'
            f'{misfits}'
            f'  the checkpoint was trained with config: {describe_origin(checkpoint)}\n'
            f'Use the config that the checkpoint was trained with (a copy lies in its '
            f'work directory), also for data of your own: --cfg-options data_root=... '
            f'train_ann_file=... val_ann_file=... test_ann_file=...'
        )


def find_misfits(model: nn.Module, given: Mapping[str, Tensor]) -> str:
    """Lines that say what weights a model lacks, does not know or has otherwise."""
    expected = model.state_dict()
    problems = {
        'missing': [name for name in expected if name not in given],
        'unexpected': [name for name in given if name not in expected],
        'of another shape': [
            f'{name} {_shape(given[name])} instead of {_shape(value)}'
            for name, value in expected.items()
            if name in given and given[name].shape != value.shape
        ],
    }
    return ''.join(_summary(kind, names) for kind, names in problems.items())


def _shape(value: Tensor) -> str:
    return f'({", ".join(map(str, value.shape))})'


def _summary(kind: str, names: Sequence[str]) -> str:
    if not names:
        return ''
    shown = ', '.join(names[:NUM_SHOWN])
    more = f', and {len(names) - NUM_SHOWN} more' if len(names) > NUM_SHOWN else ''
    return f'  {len(names)} {kind}: {shown}{more}\n'
