"""The matcher with a sense of layout: learned, and nothing of it about appearance.

Every learned number is a gate, a weight, a temperature or a function of positions and
scores. Untrained, all gates are closed: the head *is* the matcher.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import nn

from ...utils.value_checks import check_options, check_probability
from ..layers import grid_points
from ..layers.heatmap import gaussian_target
from ..losses import mean_over_pairs
from .base import Prediction, QueryTargets
from .decode_order import mixed_order
from .matching_head import TARGET_SIGMA, MatchingContext
from .pointer_decoder import Emitted, PointerDecoder, find_candidates
from .prefix_mix import History, PrefixMix
from .relation_head import Reasoning, RelationHead

LOSSES = dict(heatmap=1.0, relation=0.3, pointer=1.0, offset=30.0, confidence=0.5)
CORRECT_RADIUS = 0.16
"""Distance that counts as right: PCK@0.2 in a crop of 1.25 boxes."""

NUM_EVIDENCE = 10
"""Numbers by which a point is judged."""


@MODELS.register_module()
class LayoutHead(RelationHead):
    """Judges how the layouts relate, then points at candidates one by one.

    The support's views are compared with the query, every relation of the two layouts
    is scored (:class:`RelationGrid`), the views that fit make the keypoints' tokens,
    and the likeliest relations say about where each keypoint should be. The decoder
    then visits the keypoints, the surest first, and points at one of each one's
    candidates, given where the earlier ones were put (:class:`PointerDecoder`). Last, a
    point moves within its cell to where a finer map is most similar.

    Args:
        level_weights: what the untrained matcher weighs the feature maps with.
        prefix_mix: arguments of :class:`PrefixMix`.
        random_order_prob: share of training queries decoded in random order.
        turn_prob: share of training queries whose support is turned or mirrored to one
            of its views, so that relations are learned from upright objects too.
        loss_weights: factors of ``heatmap``, ``relation``, ``pointer``, ``offset`` and
            ``confidence``.
        **kwargs: further arguments of :class:`RelationHead`.

    Raises:
        ConfigError: a value can't be.
    """

    modes = ('parallel', 'layout', 'ar', 'ar+refine')

    def __init__(
        self,
        level_weights: Sequence[float] = (0.0, 1.0, 1.0),
        prefix_mix: dict | None = None,
        random_order_prob: float = 0.5,
        turn_prob: float = 0.5,
        loss_weights: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(level_weights, **kwargs)
        check_probability('random_order_prob', random_order_prob)
        check_probability('turn_prob', turn_prob)
        self.random_order_prob = random_order_prob
        self.turn_prob = turn_prob
        self.loss_weights = LOSSES | check_options('loss_weights', loss_weights, LOSSES)
        self.prefix_mix = PrefixMix(
            **check_options('prefix_mix', prefix_mix, PrefixMix)
        )
        self.pointer = PointerDecoder()
        self.offset_gate = nn.Parameter(torch.zeros(()))
        self.log_offset_width = nn.Parameter(torch.tensor(0.15).log())
        self.log_offset_reach = nn.Parameter(torch.tensor(1.5).log())
        self.confidence = nn.Sequential(
            nn.Linear(NUM_EVIDENCE, 16), nn.GELU(), nn.Linear(16, 1)
        )
        # of the confidence, set on categories held out of training
        self.register_buffer('calibration', torch.tensor([1.0, 0.0]))

    def predict(self, context: MatchingContext, mode: str = 'ar') -> Prediction:
        """Find the keypoints.

        Args:
            context: encoded episodes.
            mode: 'parallel' takes each keypoint's most similar cell, 'layout' the best
                one by appearance and the likeliest relations, both at once for all;
                'ar' points one by one, 'ar+refine' once more with all in sight.

        Returns:
            The prediction; ``matched`` is what the matcher alone says.

        Raises:
            ConfigError: unknown mode.
        """
        self.check_mode(mode)
        device = context.points.device.type
        with torch.autocast(device, enabled=False):
            reasoning = self.reason(context)
            candidates = reasoning.candidates
            if mode == 'parallel':
                logits = reasoning.similarity / self.log_temperature.exp()
                candidates = find_candidates(logits, self.side, self.num_candidates)
            points, logits = candidates.points[:, :, 0], candidates.logits
            if mode.startswith('ar'):
                points, logits = self.pointer.decode(
                    candidates,
                    reasoning.layout,
                    context.is_known,
                    context.hops[context.rows],
                    context.num_steps,
                    again=mode == 'ar+refine',
                )
            confidence = self.judge(context, reasoning, points, logits)
            points = self.settle(reasoning.finer, points)
            cells = grid_points(self.side, self.side, points.device)
            matched = cells[reasoning.matched.argmax(dim=-1)]
        scale, shift = self.calibration
        found = Prediction(
            points, (scale * confidence + shift).sigmoid(), None, matched
        )
        return found.hide_unknown(context.is_known)

    def settle(self, maps: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """Move points by parts of a cell to where maps are most similar around them.

        Args:
            maps: (N, K, side * side).
            points: centres of cells, (N, K, 2).

        Returns:
            (N, K, 2).
        """
        steps = torch.arange(-4.0, 5.0, device=points.device) / (2 * self.side)
        offsets = torch.cartesian_prod(steps, steps)
        grid = ((points[:, :, None] + offsets) * 2 - 1).clamp(-1, 1)
        total = F.grid_sample(
            maps.unflatten(2, (self.side, self.side)).flatten(0, 1)[:, None],
            grid.flatten(0, 1)[:, None],
            padding_mode='border',
            align_corners=False,
        ).view(grid.shape[:-1])
        reach = self.log_offset_reach.exp() / self.side
        near = offsets.square().sum(dim=-1) / (2 * reach**2)
        share = (total / self.log_offset_width.exp() - near).softmax(dim=-1)
        return points + self.offset_gate * (share[..., None] * offsets).sum(dim=2)

    def judge(
        self,
        context: MatchingContext,
        reasoning: Reasoning,
        points: torch.Tensor,
        logits: torch.Tensor,
    ) -> torch.Tensor:
        """Logits of being right, before calibration, (N, K); carries no gradient back.

        Evidence is how peaked the maps are with and without the decoder, how certain
        the relation, how far the point lies from where the layout expects it, and how
        similar it is.
        """
        with torch.no_grad():
            layout = reasoning.layout
            first = reasoning.candidates.logits.softmax(dim=-1)
            last = logits.softmax(dim=-1)
            whole = reasoning.logits.softmax(dim=-1)
            known = context.is_known.to(first.dtype)
            top, second = (
                last.topk(2, dim=-1)[0] if last.shape[-1] > 1 else F.pad(last, (0, 1))
            ).unbind(-1)
            mean_top = (top * known).sum(1, keepdim=True) / known.sum(
                1, keepdim=True
            ).clamp(min=1)
            evidence = [
                top,
                second,
                first[..., 0],
                layout.certainty[:, None].expand_as(top),
                (points - layout.points).norm(dim=-1),
                (points - layout.points).norm(dim=-1) / layout.scale[..., 0],
                mean_top.expand_as(top),
                reasoning.similarity.amax(dim=-1),
                whole.amax(dim=-1),
                whole.square().sum(dim=-1).clamp(min=1e-9).log() / 7,
            ]
            evidence = torch.stack(evidence, dim=-1)
        return self.confidence(evidence)[..., 0]

    def loss(
        self, context: MatchingContext, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        """``loss_heatmap``, ``_relation``, ``_pointer``, ``_offset``, ``_confidence``.

        Scored are keypoints visible in the query and in some support.
        """
        with torch.autocast(context.points.device.type, enabled=False):
            losses = self._losses(context, targets)
        return {
            f'loss_{name}': self.loss_weights[name] * value
            for name, value in losses.items()
        }

    def _losses(
        self, context: MatchingContext, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        num, device = len(context.points), context.points.device
        view = torch.randint(len(self.views), (num,), device=device)
        is_turned = torch.rand(num, device=device) < self.turn_prob
        context = self.turn_supports(context, is_turned, view)
        reasoning = self.reason(context)
        truth, rows = targets.points, context.rows
        is_scored = targets.is_visible & context.is_known
        wanted = gaussian_target(truth, (self.side, self.side), TARGET_SIGMA)
        entropy = sum(
            -share * (wanted * maps.log_softmax(dim=-1)).sum(dim=-1)
            for share, maps in ((1.0, reasoning.logits), (0.5, reasoning.stiff))
        )
        relation = self.relations.loss(
            reasoning.relation_logits,
            context.points[rows][:, 0] - 0.5,
            truth - 0.5,
            is_scored & context.is_visible[rows][:, 0],
        )
        candidates = reasoning.candidates
        logits = self._teach(context, reasoning, targets, is_scored)
        away = (candidates.points - truth[:, :, None]).norm(dim=-1)
        away = away.masked_fill(~candidates.is_peak, 9)
        right = (-away.square() / (2 * 0.04**2)).softmax(dim=-1)
        pointed = -(right * logits.log_softmax(dim=-1)).sum(dim=-1)
        is_near = is_scored & (away.amin(dim=-1) < 0.12)
        chosen = candidates.choose(logits)
        is_right = ((chosen - truth).norm(dim=-1) < CORRECT_RADIUS).to(truth.dtype)
        judged = self.judge(context, reasoning, chosen, logits)
        doubt = F.binary_cross_entropy_with_logits(judged, is_right, reduction='none')
        closest = candidates.choose(-away)
        moved = self.settle(reasoning.finer, closest)
        can_settle = is_scored & ((closest - truth).norm(dim=-1) < 0.05)
        off = (moved - truth).abs().sum(dim=-1)
        return dict(
            heatmap=mean_over_pairs(entropy, is_scored),
            relation=relation.mean(),
            pointer=mean_over_pairs(pointed, is_near),
            offset=mean_over_pairs(off, can_settle),
            confidence=mean_over_pairs(doubt, is_scored),
        )

    def _teach(
        self,
        context: MatchingContext,
        reasoning: Reasoning,
        targets: QueryTargets,
        is_scored: torch.Tensor,
    ) -> torch.Tensor:
        """All steps of the decoder in one pass, given the history they would have."""
        candidates, layout = reasoning.candidates, reasoning.layout.detach()
        guess = candidates.guess()
        known_targets = QueryTargets(targets.points, is_scored)
        history: History = self.prefix_mix(guess.points, known_targets)
        is_true = (history.points != guess.points).any(dim=-1)
        emitted = Emitted(
            history.points,
            torch.where(is_true, guess.scores.clamp(min=0.6), guess.scores),
        )
        hops, is_known = context.hops[context.rows], context.is_known
        order = mixed_order(
            torch.zeros_like(hops), guess.scores, is_known, self.random_order_prob
        )
        rank = order.argsort(dim=1)
        is_seen = (rank[:, None] < rank[:, :, None]) & is_known[:, None]
        is_seen = is_seen & ~history.is_unknown[:, None]
        return self.pointer(candidates, layout.points, emitted, layout, is_seen, hops)
