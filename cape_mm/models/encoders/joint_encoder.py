"""Query image and support keypoints look at each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import nn

from ...utils.value_checks import check_at_least, check_probability
from ..layers import (
    EncoderLayer,
    PointEncoding,
    grid_points,
    mask_to_bias,
    zero_layer,
)


@MODELS.register_module()
class JointEncoder(nn.Module):
    """Self-attention over [query tokens ; keypoint tokens].

    Also makes the fine query map in which keypoints are searched: the backbone's fine
    features plus a correction by the refined query tokens that starts at zero,
    normalised in every cell, so that no cell is found for its contrast alone.

    Args:
        embed_dims: C.
        num_layers: transformer layers.
        num_heads: attention heads.
        dropout: probability in every layer.

    Raises:
        ConfigError: a value can't be.
    """

    def __init__(
        self,
        embed_dims: int,
        num_layers: int = 3,
        num_heads: int = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least('num_layers', num_layers, 0)
        check_probability('dropout', dropout)
        self.point_encoding = PointEncoding(embed_dims)
        self.query_type = nn.Parameter(torch.zeros(embed_dims))
        self.keypoint_type = nn.Parameter(torch.zeros(embed_dims))
        self.layers = nn.ModuleList(
            EncoderLayer(embed_dims, num_heads, dropout=dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_dims)
        self.fine_project = nn.Sequential(
            nn.Conv2d(embed_dims, embed_dims, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(embed_dims, embed_dims, 1),
        )
        zero_layer(self.fine_project[-1])
        self.fine_norm = nn.LayerNorm(embed_dims)

    def forward(
        self,
        fine_map: torch.Tensor,
        coarse_map: torch.Tensor,
        keypoint_tokens: torch.Tensor,
        is_known: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Refine both sides.

        Args:
            fine_map: fine query features, (N, C, Hf, Wf).
            coarse_map: coarse query features, (N, C, H, W).
            keypoint_tokens: support keypoints of every query, (N, K, C).
            is_known: keypoint is visible in some support, bool (N, K).

        Returns:
            Query tokens (N, H*W, C), keypoint tokens (N, K, C), fine map
            (N, C, Hf, Wf).
        """
        height, width = coarse_map.shape[-2:]
        num_query = height * width
        positions = self.point_encoding(grid_points(height, width, coarse_map.device))
        query_tokens = coarse_map.flatten(2).transpose(1, 2) + positions
        tokens = torch.cat(
            [query_tokens + self.query_type, keypoint_tokens + self.keypoint_type],
            dim=1,
        )
        is_key = F.pad(is_known, (num_query, 0), value=True)
        bias = mask_to_bias(is_key, torch.float32)[:, None, None, :]
        for layer in self.layers:
            tokens = layer(tokens, bias)
        tokens = self.norm(tokens)
        query_tokens, keypoint_tokens = tokens.split(
            [num_query, keypoint_tokens.shape[1]], dim=1
        )
        refined = query_tokens.transpose(1, 2).unflatten(2, (height, width))
        upsampled = F.interpolate(
            refined, size=fine_map.shape[-2:], mode='bilinear', align_corners=False
        )
        searched = fine_map + self.fine_project(fine_map + upsampled)
        return query_tokens, keypoint_tokens, self._norm_cells(searched)

    def _norm_cells(self, feature_map: torch.Tensor) -> torch.Tensor:
        normed = self.fine_norm(feature_map.permute(0, 2, 3, 1))  # (N, Hf, Wf, C)
        # autocast normalises in float32; what is searched stays as it came
        return normed.permute(0, 3, 1, 2).to(feature_map.dtype)
