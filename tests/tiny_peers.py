"""Models with the peers' heads, so small that a test with them takes milliseconds."""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from tiny_cape import EMBED_DIMS, INPUT_SIZE, fill_zero_weights, tiny_backbone
from torch import nn

PEERS = ('CapeFormerHead', 'GraphCapeHead')


def peer_config(head: str = 'CapeFormerHead', **options) -> dict:
    """Config of a tiny model; options are the head's."""
    return dict(
        type='SharedEncoderCAPE',
        backbone=tiny_backbone() | dict(out_indices=(3,)),
        head=dict(
            type=head,
            in_channels=64,
            embed_dims=EMBED_DIMS,
            num_layers=2,
            num_heads=2,
            hidden_dims=24,
            input_size=INPUT_SIZE[0],
            heatmap_size=16,
        )
        | options,
        test_cfg=dict(mode='parallel'),
    )


def build_peer(
    head: str = 'CapeFormerHead', dtype: torch.dtype = torch.float64, **options
) -> nn.Module:
    """A tiny model with all weights random, in training mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MODELS.build(peer_config(head, **options))
        fill_zero_weights(model)
    return model.to(dtype)
