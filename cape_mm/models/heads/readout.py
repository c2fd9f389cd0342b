"""Searching keypoints in the query map."""

from __future__ import annotations

import torch
from torch import nn

from ...utils.value_checks import check_at_least, check_positive
from ..layers.heatmap import local_soft_argmax
from ..losses import coordinate_l1, heatmap_cross_entropy
from .base import Estimate, QueryTargets


class KeypointReadout(nn.Module):
    """Heat map of a token: its similarity with every cell of the query map.

    Args:
        embed_dims: C.
        window_radius: half-width in cells of the window that a point is read from.
        heatmap_sigma: width in cells of the training target.
        loss_weights: ``heatmap`` scales the cross-entropy, ``coordinate`` the L1.

    Raises:
        ConfigError: a window of negative or a target of no width.
    """

    def __init__(
        self,
        embed_dims: int,
        window_radius: int = 2,
        heatmap_sigma: float = 1.0,
        loss_weights: dict | None = None,
    ) -> None:
        super().__init__()
        check_at_least('window_radius', window_radius, 0)
        check_positive('heatmap_sigma', heatmap_sigma)
        self.window_radius = window_radius
        self.heatmap_sigma = heatmap_sigma
        self.loss_weights = dict(heatmap=1.0, coordinate=5.0) | (loss_weights or {})
        self.norm = nn.LayerNorm(embed_dims)
        self.project = nn.Linear(embed_dims, embed_dims)
        nn.init.eye_(self.project.weight)  # tokens and map start out comparable
        nn.init.zeros_(self.project.bias)

    def forward(self, tokens: torch.Tensor, fine_map: torch.Tensor) -> Estimate:
        """Search keypoints.

        Args:
            tokens: what to search, (N, T, C).
            fine_map: query map, (N, C, H, W).
        """
        sought = self.project(self.norm(tokens))
        logits = torch.einsum('ntc,nchw->nthw', sought, fine_map)
        logits = logits / sought.shape[-1] ** 0.5
        return Estimate(logits, *local_soft_argmax(logits, self.window_radius))

    def loss(
        self,
        estimate: Estimate,
        targets: QueryTargets,
        is_scored: torch.Tensor,
        stage: str,
    ) -> dict[str, torch.Tensor]:
        """Weighted ``loss_<stage>_heatmap`` and ``loss_<stage>_coordinate``.

        Args:
            estimate: what :meth:`forward` returned.
            targets: the truth.
            is_scored: keypoints that count, bool (N, K).
            stage: name of the stage for the keys.
        """
        truth, weight = targets.points, self.loss_weights
        entropy = heatmap_cross_entropy(
            estimate.logits, truth, is_scored, self.heatmap_sigma
        )
        distance = coordinate_l1(estimate.points, truth, is_scored)
        return {
            f'loss_{stage}_heatmap': weight['heatmap'] * entropy,
            f'loss_{stage}_coordinate': weight['coordinate'] * distance,
        }
