"""Masks that never give NaN, and the bias of graph distance."""

from __future__ import annotations

import pytest
import torch
from tiny_cape import LOW_DTYPES

from cape_mm.models.layers import HopBias, MultiHeadAttention, mask_to_bias
from cape_mm.structures.skeleton import UNREACHABLE


@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
def test_mask_is_finite_even_with_a_bias_added(dtype):
    bias = mask_to_bias(torch.tensor([True, False]), dtype)
    assert bias.dtype == dtype
    assert bias[0] == 0
    assert bias[1] < -30_000
    assert torch.isfinite(bias + bias).all()


@pytest.mark.parametrize('mask_dtype', [torch.float32, None])
@pytest.mark.parametrize('dtype', LOW_DTYPES)
def test_row_without_an_allowed_key_stays_finite(rng, dtype, mask_dtype):
    """In half precision too, whether the mask was made there or in float32."""
    layer = MultiHeadAttention(16, 2).to(dtype)
    tokens = torch.randn(2, 5, 16, generator=rng).to(dtype)
    is_allowed = torch.ones(2, 1, 5, 5, dtype=torch.bool)
    is_allowed[0, 0, 2] = False
    bias = mask_to_bias(is_allowed, mask_dtype or dtype)
    bias = bias + torch.randn(5, 5, generator=rng).to(bias.dtype)  # as a hop bias
    answer = layer(tokens, tokens, tokens, bias)
    assert torch.isfinite(answer).all()
    # a mask of -inf would give NaN, or nothing at all in newer versions of PyTorch
    assert (answer[0, 2] - layer.out.bias).abs().max() > 0.03
    if dtype != torch.float16:  # there the mask is too small to drown the logits
        average = layer.out(layer.value(tokens).mean(dim=1))[0]
        torch.testing.assert_close(answer[0, 2], average, atol=0.02, rtol=0.02)


@pytest.mark.parametrize('dtype', LOW_DTYPES)
def test_masked_keys_have_no_influence(rng, dtype):
    layer = MultiHeadAttention(16, 2).to(dtype)
    query = torch.randn(1, 2, 16, generator=rng).to(dtype)
    key = torch.randn(1, 5, 16, generator=rng).to(dtype)
    is_allowed = torch.tensor([True, False, True, True, False])
    bias = mask_to_bias(is_allowed, torch.float32).expand(1, 1, 2, 5)
    other = key.clone()
    other[:, ~is_allowed] = 50
    answer = layer(query, key, key, bias)
    assert torch.equal(layer(query, other, other, bias), answer)
    assert not torch.equal(layer(query, key, key), answer)


def test_hop_bias_is_one_number_per_head_and_distance():
    layer = HopBias(num_heads=2, max_hops=2)
    layer.bias.weight.data = torch.tensor([[0, 1], [10, 11], [20, 21], [30, 31.0]])
    bias = layer(torch.tensor([[[0, 1, 2], [3, 4, UNREACHABLE]]]))
    assert bias.shape == (1, 2, 2, 3)
    assert bias[0, 0].tolist() == [[0, 10, 20], [30, 30, 30]]
    assert bias[0, 1].tolist() == [[1, 11, 21], [31, 31, 31]]
