"""Mixed precision where there is no GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn


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
