"""Group normalisation that stays in half precision under autocast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import nn


@MODELS.register_module('AmpGN')  # MMEngine's, as MMCV's own norm layers are
class AmpGroupNorm(nn.GroupNorm):
    """Group normalisation whose output has the type of its input.

    Autocast runs ``nn.GroupNorm`` in float32, so that it and every ReLU and sum after
    it read and write twice the bytes. Mean and variance are accumulated in float32
    here too; only what is stored is rounded, once. Without autocast, and in its
    parameters, the same as ``nn.GroupNorm`` (``type='GN'``): checkpoints fit both.

    Args:
        num_channels: C.
        num_groups: must divide C.
        eps: added to the variance.
    """

    _abbr_ = 'gn'  # MMCV names the attribute after it: the same as for 'GN'

    def __init__(self, num_channels: int, num_groups: int = 32, eps: float = 1e-5):
        super().__init__(num_groups, num_channels, eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, ...) -> the same shape and type."""
        if x.dtype == self.weight.dtype:
            return super().forward(x)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            return F.group_norm(x, self.num_groups, weight, bias, self.eps)
