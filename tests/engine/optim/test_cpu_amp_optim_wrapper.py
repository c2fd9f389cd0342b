"""bfloat16 on the CPU, accumulation included."""

from __future__ import annotations

import torch
from mmpose.registry import OPTIM_WRAPPERS

from cape_mm.engine.optim import CpuAmpOptimWrapper


def test_forward_is_bfloat16_and_weights_stay_float32():
    model = torch.nn.Linear(4, 1)
    before = model.weight.detach().clone()
    wrapper = CpuAmpOptimWrapper(
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2
    )
    for step in range(2):
        with wrapper.optim_context(model):
            output = model(torch.ones(3, 4))
        assert output.dtype == torch.bfloat16
        wrapper.update_params(output.float().mean())
        assert torch.equal(model.weight, before) == (step == 0)
    # d mean(x w) / dw = 1, averaged over two equal micro-batches
    torch.testing.assert_close(model.weight.detach(), before - 0.1)


def test_is_registered():
    assert OPTIM_WRAPPERS.get('CpuAmpOptimWrapper') is CpuAmpOptimWrapper
