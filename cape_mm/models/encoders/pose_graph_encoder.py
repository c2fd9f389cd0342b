"""Transformer over the keypoints of the support pose graph."""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import nn

from ...utils.value_checks import check_at_least, check_probability
from ..layers import EncoderLayer, HopBias, PointEncoding, mask_to_bias
from .keypoint_tokens import pool_shots


@MODELS.register_module()
class PoseGraphEncoder(nn.Module):
    """Let every keypoint know where it is on the object and who its neighbours are.

    Self-attention over the K tokens, biased per head by graph distance. There is no
    embedding of the keypoint's index: permuting the keypoints permutes the output.

    Args:
        embed_dims: C.
        num_layers: transformer layers.
        num_heads: attention heads.
        max_hops: largest graph distance that is told apart.
        dropout: probability in every layer.

    Raises:
        ConfigError: a value can't be.
    """

    def __init__(
        self,
        embed_dims: int,
        num_layers: int = 3,
        num_heads: int = 8,
        max_hops: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least('num_layers', num_layers, 0)
        check_probability('dropout', dropout)
        self.point_encoding = PointEncoding(embed_dims)
        self.hop_bias = HopBias(num_heads, max_hops)
        self.layers = nn.ModuleList(
            EncoderLayer(embed_dims, num_heads, dropout=dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_dims)

    def forward(
        self,
        tokens: torch.Tensor,
        keypoints: torch.Tensor,
        is_visible: torch.Tensor,
        hops: torch.Tensor,
    ) -> torch.Tensor:
        """Encode the pose graph.

        Args:
            tokens: appearance of the keypoints, (B, K, C).
            keypoints: (x, y) in [0, 1] of the support crop, (B, S, K, 2).
            is_visible: bool (B, S, K).
            hops: graph distances, int64 (B, K, K).

        Returns:
            (B, K, C).
        """
        # encodings are averaged over the shots, never the coordinates themselves
        tokens = tokens + pool_shots(self.point_encoding(keypoints), is_visible)
        is_known = is_visible.any(dim=1)
        bias = self.hop_bias(hops)
        bias = bias + mask_to_bias(is_known, bias.dtype)[:, None, None, :]
        for layer in self.layers:
            tokens = layer(tokens, bias)
        return self.norm(tokens)
