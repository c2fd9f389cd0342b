"""Group normalisation in half precision."""

from __future__ import annotations

import pytest
import torch
from mmcv.cnn import build_norm_layer
from mmengine.registry import DefaultScope
from torch import nn

from cape_mm.models.layers import AmpGroupNorm


def make_pair(num_channels: int = 8, num_groups: int = 2):
    norm = AmpGroupNorm(num_channels, num_groups)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    plain = nn.GroupNorm(num_groups, num_channels)
    plain.load_state_dict(norm.state_dict())
    return norm, plain


def test_without_autocast_it_is_group_norm():
    norm, plain = make_pair()
    images = torch.randn(2, 8, 5, 5)
    assert torch.equal(norm(images), plain(images))


def test_under_autocast_the_output_stays_in_half_precision():
    norm, plain = make_pair()
    images = (3 + 2 * torch.randn(2, 8, 16, 16)).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        found = norm(images)
    float32 = plain(images.float())
    assert found.dtype == torch.bfloat16
    # one rounding of weight, bias and result: not statistics in half precision
    torch.testing.assert_close(found.float(), float32, rtol=0.02, atol=0.03)


def test_statistics_are_not_rounded():
    # a mean over 64k values in bfloat16 would stop growing at 256
    norm = AmpGroupNorm(1, 1)
    images = torch.ones(1, 1, 256, 256)
    images[..., ::2] = 3
    with torch.autocast('cpu', torch.bfloat16):
        found = norm(images.bfloat16()).float()
    assert found.unique().tolist() == pytest.approx([-1, 1], abs=0.01)


def test_gradients_reach_weight_and_bias_in_float32():
    norm, plain = make_pair()
    images = torch.randn(2, 8, 8, 8).bfloat16()
    for layer in (norm, plain):
        with torch.autocast('cpu', torch.bfloat16):
            layer(images).float().square().mean().backward()
    assert norm.weight.grad.dtype == torch.float32
    torch.testing.assert_close(
        norm.weight.grad, plain.weight.grad, rtol=0.05, atol=0.02
    )
    torch.testing.assert_close(norm.bias.grad, plain.bias.grad, rtol=0.05, atol=0.02)


def test_mmcv_builds_it_under_the_name_of_group_norm():
    cfg = dict(num_groups=4)
    other, _ = build_norm_layer(dict(type='GN', **cfg), 16, postfix=1)
    for scope in ('mmpose', 'mmengine'):
        with DefaultScope.overwrite_default_scope(scope):
            name, norm = build_norm_layer(dict(type='AmpGN', **cfg), 16, postfix=1)
        assert name == other
        assert isinstance(norm, AmpGroupNorm)
        assert norm.num_groups == 4
