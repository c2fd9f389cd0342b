"""The placeholder for mmcv's compiled ops."""

from __future__ import annotations

import pytest
import torch

from cape_mm.compat import stand_ins


def test_placeholder_attention_has_the_gradients_of_grid_sample():
    generator = torch.Generator().manual_seed(0)
    shapes = torch.tensor([[4, 3], [2, 2]])
    value = torch.rand(2, 16, 2, 4, generator=generator, dtype=torch.float64)
    locations = torch.rand(2, 5, 2, 2, 3, 2, generator=generator, dtype=torch.float64)
    weights = torch.rand(2, 5, 2, 2, 3, generator=generator, dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (value, locations, weights)]
    output = stand_ins.ms_deform_attn_forward(value, shapes, None, locations, weights)
    assert output.shape == (2, 5, 8)
    output.square().sum().backward()
    grads = [torch.zeros_like(tensor) for tensor in inputs]
    stand_ins.ms_deform_attn_backward(
        value, shapes, None, locations, weights, 2 * output.detach(), *grads
    )
    for tensor, grad in zip(inputs, grads):
        torch.testing.assert_close(grad, tensor.grad)


def test_placeholder_op_raises_when_called_not_when_named():
    op = stand_ins.missing_op('roi_align_forward')
    with pytest.raises(RuntimeError, match="'roi_align_forward' needs compiled mmcv"):
        op(torch.zeros(1))
