"""Optimizer states of checkpoints, in the parameter groups of today's optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from mmengine.logging import print_log
from torch import nn
from torch.optim import Optimizer

from ...errors import CheckpointError

Group = dict[str, Any]

OWN_OPTIONS = ('fused', 'foreach', 'capturable')
"""How to compute on this machine: never a checkpoint's matter."""
VALUES_PER_GROUP = ('base_values', '_last_value', 'min_values')
"""Entries of a schedule's state with a value per group, and one of the base."""


def options_of(group: Group) -> Group:
    """Everything in a parameter group but its parameters."""
    return {key: value for key, value in group.items() if key != 'params'}


def prepare_loading(optimizer: Optimizer) -> None:
    """Have an optimizer check what it loads, and keep its own way of computing.

    PyTorch would take the way of the machine that saved the checkpoint, fused on a GPU
    say, which this one may not have, and forget its own.

    Args:
        optimizer: from now on its ``load_state_dict`` raises a ``CheckpointError``
            where parameter groups are not its own.
    """
    optimizer.register_load_state_dict_pre_hook(_fit)


def _fit(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    own, saved = optimizer.param_groups, state['param_groups']
    if _sizes(own) != _sizes(saved):
        raise CheckpointError(
            f'the optimizer state of the checkpoint has {_describe(saved)}, this '
            f'training {_describe(own)}. Go on with the model and '
            f'the optim_wrapper.paramwise_cfg that the checkpoint was trained with, or '
            f'train anew from its weights: load_from=CHECKPOINT, without --resume.'
        )
    kept = [{key: g[key] for key in OWN_OPTIONS if key in g} for g in own]
    return {**state, 'param_groups': [{**g, **k} for g, k in zip(saved, kept)]}


def merge_saved_groups(
    checkpoint: dict[str, Any], model: nn.Module, optimizer: Optimizer
) -> dict[str, Any]:
    """States of a checkpoint with one group per tensor, in an optimizer's own groups.

    Such checkpoints are MMEngine's own, and those written before there was
    ``MergedGroupsConstructor``. The training goes on with the very numbers.

    Args:
        checkpoint: as read; stays as it is.
        model: has all parameters of the optimizer, in the order of those groups.
        optimizer: has fewer groups.

    Returns:
        New entries ``optimizer`` and ``param_schedulers`` of the checkpoint; none where
        the groups are others, which loading then either takes or refuses.
    """
    own, state = optimizer.param_groups, checkpoint.get('optimizer') or {}
    saved = state.get('param_groups') or []
    sources = positions_in_model(own, model)
    is_per_tensor = _sizes(saved) == [1] * sum(map(len, sources))
    if not is_per_tensor or len(own) == len(saved):
        return {}
    merged = [_merge([saved[i] for i in source]) for source in sources]
    if None in merged:
        return {}
    print_log(
        f'resume: {len(saved)} parameter groups of the checkpoint become {len(own)}',
        'current',
    )
    state = {**state, 'param_groups': merged}
    if len(own) == 1:  # MMEngine keeps the base rate apart only beside several groups
        state.pop('base_param_settings', None)
    entries = {'optimizer': state}
    if isinstance(checkpoint.get('param_schedulers'), list):
        entries['param_schedulers'] = [
            _merge_schedule(schedule, len(saved), sources)
            for schedule in checkpoint['param_schedulers']
        ]
    return entries


def positions_in_model(groups: Sequence[Group], model: nn.Module) -> list[list[int]]:
    """Of every group's parameters, where they come among those of all groups.

    Args:
        groups: parameter groups.
        model: has their parameters; it gives the order.
    """
    optimized = {id(weight) for group in groups for weight in group['params']}
    known = [id(weight) for weight in model.parameters() if id(weight) in optimized]
    ranks = {key: rank for rank, key in enumerate(known)}
    return [[ranks[id(weight)] for weight in group['params']] for group in groups]


def _merge(groups: Sequence[Group]) -> Group | None:
    """One group of several; None if their options differ."""
    first = options_of(groups[0])
    if any(options_of(group) != first for group in groups):
        return None
    return {**first, 'params': list(chain.from_iterable(g['params'] for g in groups))}


def _merge_schedule(
    schedule: dict[str, Any], num_saved: int, sources: Sequence[Sequence[int]]
) -> dict[str, Any]:
    merged = dict(schedule)
    for key in VALUES_PER_GROUP:
        values = schedule.get(key)
        if isinstance(values, list) and len(values) in (num_saved, num_saved + 1):
            base = values[num_saved:] if len(sources) > 1 else []
            merged[key] = [values[source[0]] for source in sources] + base
    return merged


def _sizes(groups: Sequence[Group]) -> list[int]:
    return [len(group['params']) for group in groups]


def _describe(groups: Sequence[Group]) -> str:
    tensors = sum(_sizes(groups))
    return f'{len(groups)} parameter groups of {tensors} tensors in all'
