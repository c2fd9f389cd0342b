"""How an optimizer is built and wrapped: few groups, mixed precision on a CPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS
from mmengine.utils import digit_version
from mmpose.registry import OPTIM_WRAPPERS
from torch import Tensor, nn
from torch.optim import Adam, AdamW

from ...errors import ConfigError

WAYS = ('fused', 'foreach', 'differentiable')
"""Arguments of an optimizer that decide how it computes; in a config they stand."""


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedGroupsConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's default constructor, with few parameter groups and a fused update.

    With ``paramwise_cfg`` MMEngine makes a group of every tensor, and PyTorch updates
    group by group: thousands of small calls where a handful would do.

    Convention:
        - groups of equal options are one, its parameters in the order of the model.
          Without ``paramwise_cfg`` there is one group anyway
        - groups with the config's own learning rate come first, so that the ``lr`` of
          the log is the base rate; where nothing can be merged the order stays
        - Adam and AdamW compute fused where this PyTorch can on the parameters' device,
          unless the config's optimizer has one of ``WAYS``. Fused and plain updates are
          equal to rounding; each repeats itself to the bit

    Args:
        optim_wrapper_cfg: as for MMEngine's.
        paramwise_cfg: as for MMEngine's.
    """

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = '',
        is_dcn_module: int | float | None = None,
    ) -> None:
        """Add the groups of a module to ``params``; merge them once all are there.

        Args:
            params: groups so far.
            module: the model, or a part of it.
            prefix: its name; empty for the model.
            is_dcn_module: as for MMEngine's.
        """
        # MMEngine warns of every single weight of a frozen part
        if any(weight.requires_grad for weight in module.parameters()):
            super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:
            params[:] = merge_groups(params, self.base_lr)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer of a model, which is on its device already.

        Args:
            model: the model, in a wrapper for distributed training or not.

        Raises:
            ConfigError: the optimizer is not registered, or a parameter is in two
                places of the model.
        """
        kind = self.optimizer_cfg.get('type')
        if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
            raise ConfigError(f'optim_wrapper.optimizer.type: there is no {kind!r}')
        if can_fuse(self.optimizer_cfg, model.parameters()):
            self.optimizer_cfg = {**self.optimizer_cfg, 'fused': True}
        return super().__call__(model)


def merge_groups(
    groups: Sequence[dict[str, Any]], base_lr: float | None
) -> list[dict[str, Any]]:
    """One parameter group for all that have equal options.

    Args:
        groups: ``params`` and options of each, in the model's order.
        base_lr: rate of a group that has none of its own.

    Raises:
        ConfigError: a parameter is in two groups; it would be updated twice.
    """
    merged: list[dict[str, Any]] = []
    for group in groups:
        own = _options_of(group)
        same = next((other for other in merged if _options_of(other) == own), None)
        if same is None:
            merged.append({**group, 'params': list(group['params'])})
        else:
            same['params'].extend(group['params'])
    weights = [id(weight) for group in groups for weight in group['params']]
    if len(set(weights)) < len(weights):
        raise ConfigError(
            'optim_wrapper: the model has a parameter in two places, so it would be '
            'updated twice. Set optim_wrapper.paramwise_cfg.bypass_duplicate=True.'
        )
    if len(merged) == len(groups):
        return merged
    return sorted(merged, key=lambda group: group.get('lr', base_lr) != base_lr)


def _options_of(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != 'params'}


def can_fuse(optimizer_cfg: dict[str, Any], parameters: Iterable[Tensor]) -> bool:
    """Whether all parameters can be updated in one call.

    On every GPU, on a CPU since PyTorch 2.4.

    Args:
        optimizer_cfg: type and arguments.
        parameters: on the device that they will be updated on.
    """
    kind = optimizer_cfg.get('type')
    kind = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
    if kind not in (Adam, AdamW) or any(way in optimizer_cfg for way in WAYS):
        return False
    known = {'cuda'}
    if digit_version(torch.__version__) >= digit_version('2.4'):
        known.add('cpu')
    trained = [weight for weight in parameters if weight.requires_grad]
    return all(w.device.type in known and w.is_floating_point() for w in trained)


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """``OptimWrapper`` with bfloat16 autocast on the CPU.

    MMEngine's ``AmpOptimWrapper`` refuses to be built without an accelerator.
    bfloat16 has the exponent range of float32, so no loss scaling is needed.

    Args:
        **kwargs: arguments of :class:`mmengine.optim.OptimWrapper`, e.g.
            ``optimizer``, ``accumulative_counts``, ``clip_grad``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Forward pass in bfloat16; skips the gradient all-reduce inside a window."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
