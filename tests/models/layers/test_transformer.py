"""Layers against PyTorch's own, and cached steps against the full pass."""

from __future__ import annotations

import pytest
import torch
from tiny_cape import fill_zero_weights
from torch import nn

from cape_mm.models.layers import DecoderLayer, EncoderLayer, KVCache, mask_to_bias

DIMS, HEADS, LENGTH = 16, 2, 6


def copy_attention(ours, theirs):
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data = torch.cat([part.weight.data for part in parts])
    theirs.in_proj_bias.data = torch.cat([part.bias.data for part in parts])
    theirs.out_proj.load_state_dict(ours.out.state_dict())


def copy_feed_forward(ours, theirs):
    theirs.linear1.load_state_dict(ours.feed_forward[0].state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward[3].state_dict())


@pytest.fixture
def causal_bias(rng):
    is_allowed = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    hop_bias = torch.randn(2, HEADS, LENGTH, LENGTH, generator=rng).double()
    return hop_bias + mask_to_bias(is_allowed, torch.float64)


def randomise_norms(module):
    for part in module.modules():
        if isinstance(part, nn.LayerNorm):
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias)


def test_encoder_layer_equals_pytorchs_pre_norm_layer(rng, causal_bias):
    ours = EncoderLayer(DIMS, HEADS, expansion=2).double()
    fill_zero_weights(ours)
    randomise_norms(ours)
    theirs = nn.TransformerEncoderLayer(
        DIMS, HEADS, 2 * DIMS, 0.0, 'gelu', batch_first=True, norm_first=True
    ).double()
    copy_attention(ours.attention, theirs.self_attn)
    copy_feed_forward(ours, theirs)
    theirs.norm1.load_state_dict(ours.norm_attention.state_dict())
    theirs.norm2.load_state_dict(ours.norm_feed_forward.state_dict())
    tokens = torch.randn(2, LENGTH, DIMS, generator=rng).double()
    expected = theirs(tokens, src_mask=causal_bias.flatten(0, 1))
    torch.testing.assert_close(ours(tokens, causal_bias), expected)


def test_decoder_layer_equals_pytorchs_pre_norm_layer(rng, causal_bias):
    ours = DecoderLayer(DIMS, HEADS, expansion=2).double()
    randomise_norms(ours)
    theirs = nn.TransformerDecoderLayer(
        DIMS, HEADS, 2 * DIMS, 0.0, 'gelu', batch_first=True, norm_first=True
    ).double()
    copy_attention(ours.self_attention, theirs.self_attn)
    copy_attention(ours.cross_attention, theirs.multihead_attn)
    copy_feed_forward(ours, theirs)
    theirs.norm1.load_state_dict(ours.norm_self.state_dict())
    theirs.norm2.load_state_dict(ours.norm_cross.state_dict())
    theirs.norm3.load_state_dict(ours.norm_feed_forward.state_dict())
    tokens = torch.randn(2, LENGTH, DIMS, generator=rng).double()
    image = torch.randn(2, 9, DIMS, generator=rng).double()
    expected = theirs(tokens, image, tgt_mask=causal_bias.flatten(0, 1))
    answer = ours(tokens, ours.project_memory(image), causal_bias)
    torch.testing.assert_close(answer, expected)


@pytest.mark.parametrize('chunk', [1, 2, 3])
def test_cached_steps_equal_the_full_pass_at_every_step(rng, causal_bias, chunk):
    layer = DecoderLayer(DIMS, HEADS).double()
    tokens = torch.randn(2, LENGTH, DIMS, generator=rng).double()
    memory = layer.project_memory(torch.randn(2, 9, DIMS, generator=rng).double())
    full = layer(tokens, memory, causal_bias)
    cache = KVCache((2, HEADS, LENGTH, DIMS // HEADS), tokens)
    for start in range(0, LENGTH, chunk):
        end = start + chunk
        bias = causal_bias[:, :, start:end, :end]
        answer = layer.step(tokens[:, start:end], memory, cache, bias, chunk)
        torch.testing.assert_close(answer, full[:, start:end], atol=1e-12, rtol=0)
        assert cache.length == end


def test_step_keeps_only_the_first_positions_in_the_cache(rng, causal_bias):
    layer = DecoderLayer(DIMS, HEADS).double()
    tokens = torch.randn(2, 2, DIMS, generator=rng).double()
    memory = layer.project_memory(tokens)
    cache = KVCache((2, HEADS, 2, DIMS // HEADS), tokens)
    layer.step(tokens, memory, cache, causal_bias[:, :, :2, :2], num_kept=1)
    normed = layer.norm_self(tokens)
    keys, values = layer.self_attention.project_kv(normed, normed)
    assert torch.equal(cache.keys[:, :, : cache.length], keys[:, :, :1])
    assert torch.equal(cache.values[:, :, : cache.length], values[:, :, :1])
