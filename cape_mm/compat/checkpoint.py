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
        trust: read arbitrary pickles, which can run code: only for files of your own;
            None does so inside :func:`~cape_mm.compat.checkpoint_file.trusting` only.

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
    state_dict = checkpoint
    if isinstance(checkpoint, Mapping) and 'state_dict' in checkpoint:
        state_dict = checkpoint['state_dict']
    else:
        checkpoint = {}
    if not _is_state_dict(state_dict):
        raise CheckpointError(
            f'checkpoint {path}: readable, but holds no weights (expected a dict of '
            f'tensors, or one under the key "state_dict").'
        )
    weights = {re.sub(r'^module\.', '', k): v for k, v in state_dict.items()}
    return {**checkpoint, 'state_dict': weights}


def _is_state_dict(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(v, Tensor) for v in value.values())
    )


def describe_origin(checkpoint: Mapping) -> str:
    """Config and epoch that a checkpoint's meta data name, or ``'unknown'``."""
    meta = checkpoint.get('meta') or {}
    name = meta.get('experiment_name')
    if not name:
        return 'unknown'
    config = re.sub(r'_\d{8}_\d{6}$', '', str(name))  # MMEngine appends the time
    return f'{config}, epoch {meta.get("epoch", "?")}'


def check_architecture(
    model: nn.Module, state_dict: Mapping[str, Tensor], path: str | Path, origin: str
) -> None:
    """Refuse weights that do not fit a model exactly.

    Args:
        model: the model that is to receive the weights.
        state_dict: weights by name.
        path: for the message.
        origin: what :func:`describe_origin` returned, for the message.

    Raises:
        CheckpointError: names are missing or left over, or shapes differ.
    """
    expected = model.state_dict()
    missing = [name for name in expected if name not in state_dict]
    unexpected = [name for name in state_dict if name not in expected]
    reshaped = [
        f'{name} {_shape(state_dict[name])} instead of {_shape(value)}'
        for name, value in expected.items()
        if name in state_dict and state_dict[name].shape != value.shape
    ]
    if not (missing or unexpected or reshaped):
        return
    raise CheckpointError(
        f'checkpoint {path} does not fit the model {type(model).__name__}:\n'
        f'{_summary("missing", missing)}{_summary("unexpected", unexpected)}'
        f'{_summary("of another shape", reshaped)}'
        f'  the checkpoint was trained with config: {origin}\n'
        f'Use the config that the checkpoint was trained with (a copy lies in its work '
        f'directory).'
    )


def _shape(value: Tensor) -> str:
    return f'({", ".join(map(str, value.shape))})'


def _summary(kind: str, names: Sequence[str]) -> str:
    if not names:
        return ''
    shown = ', '.join(names[:NUM_SHOWN])
    more = f', and {len(names) - NUM_SHOWN} more' if len(names) > NUM_SHOWN else ''
    return f'  {len(names)} {kind}: {shown}{more}\n'


def load_weights(model: nn.Module, checkpoint: Mapping, path: str | Path) -> None:
    """Load all weights of a checkpoint into a model, or leave the model untouched.

    Args:
        model: the model, bare or in a distributed wrapper.
        checkpoint: what :func:`read_checkpoint` returned.
        path: where it was read from, for the message.

    Raises:
        CheckpointError: the checkpoint is of another architecture.
    """
    inner = model.module if is_model_wrapper(model) else model
    origin = describe_origin(checkpoint)
    check_architecture(inner, checkpoint['state_dict'], path, origin)
    inner.load_state_dict(checkpoint['state_dict'])


def load_checkpoint_strict(
    model: nn.Module, path: str | Path, trust: bool | None = None
) -> dict:
    """Load all weights of a checkpoint file into a model, or leave it untouched.

    Args:
        model: the model, bare or in a distributed wrapper.
        path: local file.
        trust: see :func:`read_checkpoint`.

    Returns:
        The checkpoint's ``meta`` dict, empty if it has none.

    Raises:
        CheckpointError: the file is missing or unreadable, or is of another
            architecture.
    """
    checkpoint = read_checkpoint(path, trust)
    load_weights(model, checkpoint, path)
    return dict(checkpoint.get('meta') or {})
