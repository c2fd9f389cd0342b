"""All keypoints at once: the peak of every token's heat map."""

from __future__ import annotations

import torch
from mmpose.registry import MODELS

from ...utils.value_checks import check_not_negative, check_options
from .base import BaseHead, EpisodeContext, Estimate, Prediction, QueryTargets
from .readout import KeypointReadout
from .reliability import Reliability

LOSSES = ('heatmap', 'coordinate', 'confidence', 'visibility')
"""What ``loss_weights`` can scale."""


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
