"""NaN and infinite gradients: found before they reach the weights."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper
from torch import Tensor

LOWEST_SCALE = 1.0
"""A loss scale above this may itself be why a half-precision gradient overflows."""


@dataclass
class MicroBatch:
    """What is remembered of a micro-batch until its window is applied.

    Attributes:
        batch: the caller's own description.
        loss: the sum of its losses, no gradient; stays on its device.
    """

    batch: Any
    loss: Tensor | None = None

    def has_bad_loss(self) -> bool:
        """Whether the loss is NaN or infinite; waits for the device."""
        return self.loss is not None and not math.isfinite(float(self.loss))


class _NonFiniteGradientError(Exception):
    """Leaves the wrapper's step; never leaves the guard."""


@dataclass
class UpdateGuard:
    """Skips an optimizer wrapper's update where loss or gradient is not finite.

    A loss that is NaN or infinite gets a NaN factor, so that its gradient is NaN
    whatever the loss was made of; the norm that clipping computes anyway then decides
    on the whole accumulation window. Weights, optimizer state and loss scale stay as
    they are, to the last bit, and ``update_params`` clears the gradient.

    Convention:
        - a finite loss gets the factor 1: nothing changes by a bit
        - distributed data parallel reduces the gradient before the norm is taken: all
          ranks see the same norm and skip together, without asking each other
        - float16 with dynamic loss scaling: a gradient that overflows while all losses
          are finite is the scaler's own search, until the scale is at 1
        - cost: with clipping by norm the one wait per update that MMEngine has anyway,
          without it one norm and one wait per update

    Attributes:
        wrapper: the optimizer wrapper.
        on_skip: called with the window's micro-batches in place of an update.
        on_update: called after an update.
        window: micro-batches since the last update.
    """

    wrapper: OptimWrapper
    on_skip: Callable[[list[MicroBatch]], None]
    on_update: Callable[[], None]
    window: list[MicroBatch] = field(default_factory=list)

    def install(self) -> None:
        """Stand in for three of the wrapper's functions."""
        wrapper = self.wrapper
        kwargs = wrapper.clip_grad_kwargs
        self._clips_norm = bool(kwargs) and wrapper.grad_name == 'grad_norm'
        names = ('step', 'scale_loss', *(('clip_func',) if self._clips_norm else ()))
        # a scheduler may have put a counting step there, and looks whether it still is
        self._replaced = {name: vars(wrapper).get(name) for name in names}
        self._step, self._scale_loss = wrapper.step, wrapper.scale_loss
        wrapper.step = functools.wraps(self._step)(functools.partial(self.step))
        wrapper.scale_loss = self.scale_loss
        if self._clips_norm:
            self._clip, wrapper.clip_func = wrapper.clip_func, self.clip

    def remove(self) -> None:
        """Give the wrapper its own functions back."""
        for name, own in self._replaced.items():
            if own is None:
                delattr(self.wrapper, name)
            else:
                setattr(self.wrapper, name, own)

    def open(self, batch: Any) -> None:
        """Begin a micro-batch; call it before the forward pass."""
        self.window.append(MicroBatch(batch))

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The wrapper's loss, with NaN for a gradient if it is not finite itself."""
        known = loss.detach()
        if self.window:
            self.window[-1].loss = known
        factor = torch.where(torch.isfinite(known), 1.0, math.nan).to(loss.dtype)
        return self._scale_loss(loss * factor)

    def clip(self, parameters: list[Tensor], **kwargs) -> float:
        """Clip; the norm is read here, once, in the place of MMEngine's own reading."""
        norm = float(self._clip(parameters, **kwargs))
        self._check(norm)
        return norm

    def step(self, **kwargs) -> None:
        """Update the weights, or leave them alone."""
        try:
            if not self._clips_norm:
                groups = self.wrapper.optimizer.param_groups
                weights = [weight for group in groups for weight in group['params']]
                self._check(float(gradient_norm(weights)))
            self._step(**kwargs)
        except _NonFiniteGradientError:
            self._keep_loss_scale()
            window, self.window = self.window, []
            self.on_skip(window)
        else:
            self.window = []
            self.on_update()

    def _check(self, norm: float) -> None:
        if math.isfinite(norm):
            return
        if not (self._may_overflow() and self._are_losses_finite()):
            raise _NonFiniteGradientError

    def _may_overflow(self) -> bool:
        """Whether a dynamic loss scale is there that could still be lowered."""
        scaler = getattr(self.wrapper, 'loss_scaler', None)
        if scaler is None or not scaler.is_enabled():
            return False
        is_dynamic = self.wrapper._scale_update_param is None
        return is_dynamic and scaler.get_scale() > LOWEST_SCALE

    def _are_losses_finite(self) -> bool:
        """Of all ranks: each of them is here, as all see the same gradient."""
        is_bad = torch.tensor(float(any(one.has_bad_loss() for one in self.window)))
        all_reduce(is_bad, 'sum')
        return not is_bad.item()

    def _keep_loss_scale(self) -> None:
        """Have the scaler forget this gradient, and nothing else."""
        scaler = getattr(self.wrapper, 'loss_scaler', None)
        if scaler is not None and scaler.is_enabled():
            scaler.update(scaler.get_scale())


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Norm of all gradients together, a scalar on their device; 0 without any."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    return torch.stack(torch._foreach_norm(gradients)).norm()
