"""A toy model whose loss or gradient is no number at chosen calls."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from toy_runner import ToyModel


class TroubledModel(ToyModel):
    """Calls are counted from 1; what happens at one of them:

    - ``'nan'``, ``'inf'``: the loss, and with it the gradient
    - ``'constant'``: the loss only, its own gradient would be finite
    - ``'gradient'``: the gradient only
    """

    def __init__(self, trouble: Mapping[int, str] | None = None) -> None:
        super().__init__()
        self.trouble = dict(trouble or {})
        self.num_calls = 0

    def forward(self, x, y, data_samples, mode='tensor'):
        result = super().forward(x, y, data_samples, mode)
        if mode != 'loss':
            return result
        self.num_calls += 1
        kind = self.trouble.get(self.num_calls)
        loss = result['loss']
        if kind in ('nan', 'inf'):
            loss = loss * float(kind)
        elif kind == 'constant':
            loss = loss + math.nan
        elif kind == 'gradient':
            zero = self.linear.weight.sum() * 0
            loss = loss + torch.sqrt(zero)  # derivative at 0: infinite times 0
        return dict(loss=loss)
