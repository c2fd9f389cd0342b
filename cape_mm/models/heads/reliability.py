"""How much a found keypoint can be trusted, and whether it shows at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..layers.heatmap import sample_at
from ..losses import mean_over_pairs
from .base import EpisodeContext, Estimate, Prediction, QueryTargets


class Reliability(nn.Module):
    """Confidence and visibility of every keypoint, learned beside the points.

    The confidence is the probability that a point lies within ``correct_radius`` of the
    truth. It is trained on what the model itself gets right and wrong, on inputs that
    carry no gradient: it can't change the points. Evidence are the keypoint's token,
    the query feature where the point fell, the heat map's mass there, the proposal's,
    and how far the two are apart. The visibility is the probability that the keypoint
    is labelled and inside the crop of the query.

    Args:
        embed_dims: C.
        correct_radius: distance that counts as right, as a fraction of the crop's
            side. 0.16 is PCK@0.2: the crop is 1.25 times the box.
        loss_weights: ``confidence`` and ``visibility`` scale the two losses.
    """

    NUM_EVIDENCE = 3

    def __init__(
        self,
        embed_dims: int,
        correct_radius: float = 0.16,
        loss_weights: dict | None = None,
    ) -> None:
        super().__init__()
        self.correct_radius = correct_radius
        defaults = dict(confidence=0.1, visibility=0.1)
        self.loss_weights = defaults | (loss_weights or {})
        self.norm_token = nn.LayerNorm(embed_dims)
        self.norm_seen = nn.LayerNorm(embed_dims)
        self.confidence = nn.Sequential(
            nn.Linear(2 * embed_dims + self.NUM_EVIDENCE, embed_dims),
            nn.GELU(),
            nn.Linear(embed_dims, 1),
        )
        self.visibility = nn.Sequential(
            nn.LayerNorm(embed_dims), nn.Linear(embed_dims, 1)
        )

    def forward(
        self,
        context: EpisodeContext,
        tokens: torch.Tensor,
        found: Estimate,
        proposal: Estimate,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Judge points.

        Args:
            context: encoded episodes.
            tokens: what was searched for, (N, K, C).
            found: what was found.
            proposal: first guess; ``found`` itself where there was none.

        Returns:
            Logits of confidence and of visibility, each (N, K).
        """
        points = found.points.detach()
        token = self.norm_token(tokens.detach())
        seen = self.norm_seen(sample_at(context.fine_map.detach(), points))
        moved = (points - proposal.points.detach()).norm(dim=-1)
        evidence = torch.stack([found.scores, proposal.scores, moved], dim=-1)
        evidence = evidence.detach().to(token.dtype)
        confidence = self.confidence(torch.cat([token, seen, evidence], dim=-1))
        visibility = self.visibility(tokens)
        return confidence[..., 0].float(), visibility[..., 0].float()

    def judge(
        self,
        context: EpisodeContext,
        tokens: torch.Tensor,
        found: Estimate,
        proposal: Estimate,
    ) -> Prediction:
        """The points with their confidence and visibility; arguments as above."""
        confidence, visibility = self(context, tokens, found, proposal)
        prediction = Prediction(
            found.points, confidence.sigmoid(), visibility.sigmoid()
        )
        return prediction.hide_unknown(context.is_known)

    def loss(
        self,
        context: EpisodeContext,
        tokens: torch.Tensor,
        found: Estimate,
        proposal: Estimate,
        targets: QueryTargets,
    ) -> dict[str, torch.Tensor]:
        """Weighted ``loss_confidence`` and ``loss_visibility``, cross-entropies.

        The confidence is scored on keypoints that the query shows, the visibility on
        all that a support shows.
        """
        confidence, visibility = self(context, tokens, found, proposal)
        distance = (found.points.detach() - targets.points).norm(dim=-1)
        is_right = (distance < self.correct_radius).to(confidence.dtype)
        shows = targets.is_visible.to(visibility.dtype)
        is_scored = targets.is_visible & context.is_known
        weight = self.loss_weights
        of_confidence = _cross_entropy(confidence, is_right)
        of_visibility = _cross_entropy(visibility, shows)
        return dict(
            loss_confidence=weight['confidence']
            * mean_over_pairs(of_confidence, is_scored),
            loss_visibility=weight['visibility']
            * mean_over_pairs(of_visibility, context.is_known),
        )


def _cross_entropy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, truth, reduction='none')
