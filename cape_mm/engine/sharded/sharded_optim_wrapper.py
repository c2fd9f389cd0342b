"""Gradient clipping where every process has a part of the gradient."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import Tensor


def clip_sharded_gradient(
    parameters: Iterable[Tensor], max_norm: float, norm_type: float = 2.0
) -> Tensor:
    """Scale a gradient whose parts lie on several processes to a largest norm.

    The same as :func:`torch.nn.utils.clip_grad_norm_` of the whole gradient; that
    function itself would see this process's part only, and every process would scale
    by a factor of its own.

    Args:
        parameters: with this process's part of the gradient, which may be empty; no
            element is on two processes.
        max_norm: largest norm.
        norm_type: 2 is the only one.

    Returns:
        The norm of the whole gradient before clipping, a scalar.

    Raises:
        ValueError: another norm is asked for.
    """
    if norm_type != 2:
        raise ValueError(f'sharded gradients: norm_type must be 2, got {norm_type}')
    gradients = [p.grad for p in parameters if p.grad is not None and p.grad.numel()]
    device = gradients[0].device if gradients else torch.device('cpu')
    squares = torch.zeros((), dtype=torch.float32, device=device)
    for gradient in gradients:
        squares += gradient.detach().float().square().sum()
    all_reduce(squares, 'sum')
    norm = squares.sqrt()
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.to(gradient.dtype))
    return norm


@OPTIM_WRAPPERS.register_module()
class ShardedOptimWrapper(OptimWrapper):
    """``OptimWrapper`` that clips by the norm of the whole, sharded gradient.

    Args:
        **kwargs: arguments of :class:`mmengine.optim.OptimWrapper`; ``clip_grad`` by
            norm only.

    Raises:
        ValueError: ``clip_grad`` by value.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        if not self.clip_grad_kwargs:
            return
        if self.grad_name != 'grad_norm':
            raise ValueError("ShardedOptimWrapper: clip_grad must have type='norm'")
        self.clip_func = clip_sharded_gradient
