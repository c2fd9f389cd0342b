"""Proposals from a similarity map, refined by an autoregressive decoder."""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import nn

from ..layers.heatmap import local_soft_argmax
from ..losses import coordinate_l1, heatmap_cross_entropy
from .autoregressive_decoder import AutoregressiveDecoder
from .base import BaseHead, EpisodeContext, Estimate, QueryTargets
from .decode_order import mixed_order, skeleton_order, take_in_order
from .prefix_mix import History, PrefixMix

MODES = ('parallel', 'ar', 'ar+refine')


@MODELS.register_module()
class AutoregressiveHead(BaseHead):
    """Finds the keypoints in parallel, then again one by one.

    The similarity of every keypoint token with the fine query map is a heat map, its
    peak the *proposal*. The decoder then visits the keypoints along the skeleton; each
    step sees the coordinates that were emitted before it and corrects the keypoint's
    token, from which the same similarity reads the final heat map. The correction
    starts at zero: an untrained decoder returns its proposals. There are exactly as
    many steps as support-visible keypoints.

    Args:
        embed_dims: C.
        num_layers: decoder layers.
        num_heads: attention heads.
        max_hops: largest graph distance that is told apart.
        dropout: probability in the decoder's layers.
        window_radius: half-width in cells of the window that a point is read from.
        heatmap_sigma: width in cells of the training target.
        loss_weights: factors of the four losses, see :meth:`loss`.
        prefix_mix: arguments of :class:`PrefixMix`.
        random_order_prob: share of training queries decoded in random order.
        init_cfg: initialisation, as everywhere in MMEngine.
    """

    modes = MODES

    def __init__(
        self,
        embed_dims: int = 256,
        num_layers: int = 3,
        num_heads: int = 8,
        max_hops: int = 4,
        dropout: float = 0.0,
        window_radius: int = 2,
        heatmap_sigma: float = 1.0,
        loss_weights: dict | None = None,
        prefix_mix: dict | None = None,
        random_order_prob: float = 0.5,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.window_radius = window_radius
        self.heatmap_sigma = heatmap_sigma
        self.random_order_prob = random_order_prob
        self.loss_weights = dict(heatmap=1.0, coordinate=5.0) | (loss_weights or {})
        self.prefix_mix = PrefixMix(**(prefix_mix or {}))
        self.keypoint_norm = nn.LayerNorm(embed_dims)
        self.keypoint_project = nn.Linear(embed_dims, embed_dims)
        self.decoder = AutoregressiveDecoder(
            embed_dims, num_layers, num_heads, max_hops, dropout
        )
        self.correction = nn.Linear(embed_dims, embed_dims)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def read(self, tokens: torch.Tensor, fine_map: torch.Tensor) -> Estimate:
        """Search keypoints in the query map.

        Args:
            tokens: what to search, (N, T, C).
            fine_map: (N, C, H, W).
        """
        sought = self.keypoint_project(self.keypoint_norm(tokens))
        logits = torch.einsum('ntc,nchw->nthw', sought, fine_map)
        logits = logits / sought.shape[-1] ** 0.5
        return Estimate(logits, *local_soft_argmax(logits, self.window_radius))

    def propose(self, context: EpisodeContext) -> Estimate:
        """First guess of all keypoints at once."""
        return self.read(context.keypoint_tokens, context.fine_map)

    def refine(
        self,
        context: EpisodeContext,
        proposals: torch.Tensor,
        emitted: History,
        order: torch.Tensor,
        sees_all: bool = False,
    ) -> Estimate:
        """All decoder steps in one pass, given the history they would have.

        Arguments as in :meth:`AutoregressiveDecoder.forward`.
        """
        answers = self.decoder(context, proposals, emitted, order, sees_all)
        tokens = context.keypoint_tokens + self.correction(answers)
        return self.read(tokens, context.fine_map)

    def decode(
        self, context: EpisodeContext, proposals: torch.Tensor, order: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One cached step per known keypoint.

        Args:
            context: encoded episodes.
            proposals: first guesses, (N, K, 2).
            order: keypoint indices in the order of decoding, (N, K).

        Returns:
            Points (N, K, 2) and scores (N, K) in the keypoints' own order; proposals
            and zero where no step was made.
        """
        state = self.decoder.start(context, proposals, order)
        points, scores = [], []
        last = None
        for index in range(context.num_steps):
            answer = self.decoder.step(state, index, context.fine_map, last)
            token = state.identities[:, index : index + 1] + self.correction(answer)
            estimate = self.read(token, context.fine_map)
            last = estimate.points
            points.append(last)
            scores.append(estimate.scores)
        rest = take_in_order(proposals, order)[:, context.num_steps :]
        all_points = torch.cat([*points, rest], dim=1)
        all_scores = torch.cat([*scores, torch.zeros_like(rest[..., 0])], dim=1)
        back = order.argsort(dim=1)
        return take_in_order(all_points, back), take_in_order(all_scores, back)

    def loss(
        self, context: EpisodeContext, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        """Heat-map and coordinate losses of proposals and decoder.

        Scored are keypoints visible in the query and in some support. Cross-entropy
        times ``heatmap`` plus L1 times ``coordinate``, for either stage.

        Returns:
            ``loss_proposal_heatmap``, ``loss_proposal_coordinate``,
            ``loss_decoder_heatmap`` and ``loss_decoder_coordinate``.
        """
        proposal = self.propose(context)
        order = mixed_order(
            context.hops,
            proposal.scores.detach(),
            context.is_known,
            self.random_order_prob,
        )
        emitted = self.prefix_mix(proposal.points, targets)
        start = proposal.points.detach()
        decoded = self.refine(context, start, emitted, order)
        is_scored = targets.is_visible & context.is_known
        truth = targets.points
        weight = self.loss_weights
        losses = {}
        for stage, estimate in (('proposal', proposal), ('decoder', decoded)):
            entropy = heatmap_cross_entropy(
                estimate.logits, truth, is_scored, self.heatmap_sigma
            )
            distance = coordinate_l1(estimate.points, truth, is_scored)
            losses[f'loss_{stage}_heatmap'] = weight['heatmap'] * entropy
            losses[f'loss_{stage}_coordinate'] = weight['coordinate'] * distance
        return losses

    def predict(
        self, context: EpisodeContext, mode: str = 'ar'
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the keypoints.

        Args:
            context: encoded episodes.
            mode: 'parallel' returns the proposals, 'ar' decodes step by step,
                'ar+refine' adds a pass in which every keypoint sees all others;
                training never takes that pass.

        Returns:
            Points in [0, 1], float32 (N, K, 2), and scores in [0, 1], float32 (N, K).
            An unknown keypoint gets the crop's centre and score 0.

        Raises:
            ConfigError: unknown mode.
        """
        self.check_mode(mode)
        proposal = self.propose(context)
        points, scores = proposal.points, proposal.scores
        if mode != 'parallel':
            order = skeleton_order(context.hops, scores, context.is_known)
            points, scores = self.decode(context, proposal.points, order)
        if mode == 'ar+refine':
            emitted = History(points, torch.zeros_like(context.is_known))
            refined = self.refine(context, points, emitted, order, sees_all=True)
            points, scores = refined.points, refined.scores
        is_known = context.is_known
        points = torch.where(is_known[..., None], points, points.new_tensor(0.5))
        return points, scores.masked_fill(~is_known, 0)
