"""All keypoints at once: the peak of every token's heat map."""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import nn

from ...utils.value_checks import (
    check_at_least,
    check_not_negative,
    check_options,
    check_positive,
)
from ..layers.heatmap import local_soft_argmax
from ..losses import coordinate_l1, heatmap_cross_entropy
from .base import BaseHead, EpisodeContext, Estimate, Prediction, QueryTargets
from .reliability import Reliability

LOSSES = ('heatmap', 'coordinate', 'confidence', 'visibility')
"""What ``loss_weights`` can scale."""


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


@MODELS.register_module()
class ProposalHead(BaseHead):
    """Finds every keypoint on its own, from its similarity with the query map.

    Args:
        embed_dims: C.
        window_radius: half-width in cells of the window that a point is read from.
        heatmap_sigma: width in cells of the training target.
        loss_weights: factors of the losses: ``heatmap``, ``coordinate``,
            ``confidence``, ``visibility``.
        init_cfg: initialisation, as everywhere in MMEngine.

    Raises:
        ConfigError: a value can't be, or there is no such loss.
    """

    modes = ('parallel',)

    def __init__(
        self,
        embed_dims: int = 256,
        window_radius: int = 2,
        heatmap_sigma: float = 1.0,
        loss_weights: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        for name, weight in check_options('loss_weights', loss_weights, LOSSES).items():
            check_not_negative(f'loss_weights.{name}', weight)
        self.readout = KeypointReadout(
            embed_dims, window_radius, heatmap_sigma, loss_weights
        )
        self.reliability = Reliability(embed_dims, loss_weights=loss_weights)

    def propose(self, context: EpisodeContext) -> Estimate:
        """First guess of all keypoints at once."""
        return self.readout(context.keypoint_tokens, context.fine_map)

    def loss(
        self, context: EpisodeContext, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        """``loss_proposal_*``, ``loss_confidence`` and ``loss_visibility``."""
        proposal = self.propose(context)
        is_scored = targets.is_visible & context.is_known
        losses = self.readout.loss(proposal, targets, is_scored, 'proposal')
        tokens = context.keypoint_tokens
        return losses | self.reliability.loss(
            context, tokens, proposal, proposal, targets
        )

    def predict(self, context: EpisodeContext, mode: str = 'parallel') -> Prediction:
        """Find the keypoints.

        Args:
            context: encoded episodes.
            mode: 'parallel', the only one.
        """
        self.check_mode(mode)
        proposal = self.propose(context)
        return self.reliability.judge(
            context, context.keypoint_tokens, proposal, proposal
        )
