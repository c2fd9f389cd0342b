"""Matching that judges how the layouts relate, and bends what it expects.

Every learned number is a gate, a weight, a temperature or a function of positions and
scores. Untrained, all gates are closed: the head *is* the matcher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from ...utils.value_checks import check_at_least
from ..layers import grid_points
from ..layers.bending import Bending
from ..layers.feature_matching import cosine_maps, similarity_maps
from ..layers.relation_grid import RelationGrid, Relations
from ..layers.views import all_views, composition_table
from .matching_head import TEMPERATURE, MatchingContext, MatchingHead
from .pointer_decoder import Candidates, Layout, find_candidates


@dataclass(frozen=True)
class Reasoning:
    """What the head makes of an episode before it decodes.

    Attributes:
        relation_logits: of all relations, (N, S, V, M, T).
        matched: maps of the untrained matcher, (N, K, side * side).
        finer: maps to settle by, (N, K, side * side).
        similarity: maps by appearance, (N, K, side * side).
        stiff: maps by appearance and the likeliest relations, (N, K, side * side).
        logits: the same where the layout may bend, (N, K, side * side).
        layout: where the likeliest relation expects the keypoints.
        candidates: peaks of ``logits``.
    """

    relation_logits: torch.Tensor
    matched: torch.Tensor
    finer: torch.Tensor
    similarity: torch.Tensor
    stiff: torch.Tensor
    logits: torch.Tensor
    layout: Layout
    candidates: Candidates


class RelationHead(MatchingHead):
    """Searches every keypoint by appearance and by the layout of all.

    Args:
        level_weights: what the untrained matcher weighs the feature maps with.
        side: keypoints are searched among ``side`` x ``side`` cells.
        relation_side: cells of the maps that relations are judged by.
        num_turns: views of a support at even angles.
        mirror: each of them mirrored, too.
        num_relations: how many of the likeliest relations say where keypoints are.
        num_candidates: peaks per keypoint.
        num_bends: times that every keypoint is expected anew from where the others are.
        init_cfg: initialisation, as everywhere in MMEngine.

    Raises:
        ConfigError: a value can't be.
    """

    def __init__(
        self,
        level_weights: Sequence[float] = (0.0, 1.0, 1.0),
        side: int = 32,
        relation_side: int = 16,
        num_turns: int = 8,
        mirror: bool = True,
        num_relations: int = 48,
        num_candidates: int = 12,
        num_bends: int = 2,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(level_weights, side, init_cfg)
        for name, value in (('relation_side', relation_side), ('num_turns', num_turns)):
            check_at_least(name, value, 1)
        check_at_least('num_relations', num_relations, 1)
        check_at_least('num_candidates', num_candidates, 1)
        check_at_least('num_bends', num_bends, 0)
        self.relation_side = relation_side
        self.num_relations = num_relations
        self.num_candidates = num_candidates
        self.num_bends = num_bends
        self.views = all_views(num_turns, mirror)
        table = composition_table(self.views)
        self.register_buffer('composition', table, persistent=False)
        self.relations = RelationGrid(self.views)
        self.level_weights = nn.Parameter(
            torch.tensor([float(w) for w in level_weights])
        )
        self.offset_weights = nn.Parameter(torch.ones(len(level_weights)))
        self.rival_gate = nn.Parameter(torch.zeros(()))
        self.log_rival_width = nn.Parameter(torch.tensor(0.2).log())
        self.view_gate = nn.Parameter(torch.zeros(()))
        self.layout_gate = nn.Parameter(torch.zeros(()))
        self.fit_cost = nn.Parameter(torch.zeros(()))
        self.log_temperature = nn.Parameter(torch.tensor(TEMPERATURE).log())
        self.log_layout_width = nn.Parameter(torch.tensor(0.08).log())
        self.log_layout_floor = nn.Parameter(torch.tensor(0.02).log())
        self.bend_gate = nn.Parameter(torch.zeros(()))
        self.bending = Bending()

    @property
    def search_weights(self) -> tuple[Sequence[float], float]:
        """See the base class; what training made of them."""
        return self.level_weights.tolist(), self.log_temperature.exp().item()

    def reason(self, context: MatchingContext) -> Reasoning:
        """Judge the relation of the layouts and search every keypoint."""
        rows = context.rows
        is_visible = context.is_visible[rows]
        points = context.points[rows] - 0.5
        coarse = similarity_maps(
            context.tokens,
            context.maps,
            self.level_weights,
            self.relation_side,
            rows,
        )  # (N, S, V, T, P)
        judged = self._without_rivals(coarse, is_visible[:, :, None])
        side = self.relation_side
        relation_logits = self.relations(
            judged.unflatten(-1, (side, side)),
            context.points - 0.5,
            context.is_visible,
            rows,
        )
        share = relation_logits.flatten(2).softmax(dim=-1).view_as(relation_logits)
        share = share.sum(dim=(3, 4))  # of the views, (N, S, V)
        plain = F.one_hot(
            share.new_zeros(share.shape[:2], dtype=torch.long), share.shape[2]
        )
        weights = plain + self.view_gate * (share - plain)
        found, matched, finer = self._compare(context, context.pool_views(weights))
        similarity = self._without_rivals(found, context.is_known)
        relations = self.relations.likeliest(
            relation_logits, points, is_visible, self.num_relations
        )
        prior, layout = self._expect(relations, context.is_known)
        found = similarity / self.log_temperature.exp()
        misfit = self._misfit(similarity, layout.points, context.is_known)
        gate = self.layout_gate * (-self.fit_cost * misfit).exp()
        stiff = logits = found + gate[:, None, None] * prior
        cells = grid_points(self.side, self.side, logits.device)
        for _ in range(self.num_bends):
            bent = self.bending(
                logits, cells, layout.points, layout.scale, context.is_known
            )
            logits = stiff + self.bend_gate * bent
        with torch.no_grad():
            candidates = find_candidates(logits, self.side, self.num_candidates)
        return Reasoning(
            relation_logits,
            matched,
            finer,
            similarity,
            stiff,
            logits,
            layout,
            candidates,
        )

    def _misfit(
        self, similarity: torch.Tensor, points: torch.Tensor, is_known: torch.Tensor
    ) -> torch.Tensor:
        """How much less similar the layout's places are than the best ones, (N,)."""
        with torch.no_grad():
            cell = (points * self.side).long().clamp(0, self.side - 1)
            index = cell[..., 1:] * self.side + cell[..., :1]
            lost = similarity.amax(dim=-1) - similarity.gather(2, index)[..., 0]
            known = is_known.to(lost.dtype)
            return (lost * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)

    def _compare(
        self, context: MatchingContext, tokens: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Similarity maps of one comparison, weighted for three purposes.

        Returns:
            Maps of all tokens to search in, (N, T, P), those of the untrained matcher
            and those to settle by, each (N, K, P).
        """
        num_keypoints = context.points.shape[2]
        found = matched = finer = 0
        plain = context.pool_views(None)
        for level, feature_map in enumerate(context.maps):
            both = torch.cat([plain[level][:, :num_keypoints], tokens[level]], dim=1)
            cosines = cosine_maps(both, feature_map, self.side)
            own = cosines[:, num_keypoints:]
            found = found + self.level_weights[level] * own
            finer = finer + self.offset_weights[level] * own[:, :num_keypoints]
            if self.matcher_weights[level]:
                weighed = self.matcher_weights[level] * cosines[:, :num_keypoints]
                matched = matched + weighed.detach()
        return found, matched, finer

    def _without_rivals(
        self, similarity: torch.Tensor, is_there: torch.Tensor
    ) -> torch.Tensor:
        """Maps of the keypoints less what each cell has in common with all tokens.

        Args:
            similarity: (N, ..., T, P).
            is_there: keypoints that can be rivals, bool (N, ..., K).

        Returns:
            (N, ..., K, P).
        """
        num_keypoints = is_there.shape[-1]
        places = similarity.shape[-2] - num_keypoints
        is_rival = F.pad(is_there, (0, places), value=True)[..., None]
        width = self.log_rival_width.exp()
        rivals = similarity.masked_fill(~is_rival, -9) / width
        common = width * rivals.logsumexp(dim=-2, keepdim=True)
        own = similarity.narrow(-2, 0, num_keypoints)
        return own - self.rival_gate * common

    def _expect(
        self, relations: Relations, is_known: torch.Tensor
    ) -> tuple[torch.Tensor, Layout]:
        """Log-density of where the relations put the keypoints, and the best layout."""
        weights = relations.weights[..., None] * relations.has_point  # (N, R, K)
        weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-6)
        # a Gaussian is a product of its sides, so the sum of many is one of matrices
        centres = grid_points(1, self.side, weights.device)[:, 0]
        width = self.log_layout_width.exp()
        gaps = relations.points[..., None] - centres  # (N, R, K, 2, side)
        sides = (-gaps.square() / (2 * width**2)).exp()
        along_x, along_y = sides.unbind(dim=3)
        density = torch.einsum(
            'nrky,nrkx->nkyx', along_y * weights[..., None], along_x
        ).flatten(2)
        prior = (density + self.log_layout_floor.exp()).log()
        mean = (weights[..., None] * relations.points).sum(dim=1)
        best = torch.where(
            relations.has_point[:, 0, :, None], relations.points[:, 0], mean
        )
        return prior, Layout.of(best, is_known, relations.weights[:, 0])

    def turn_supports(
        self, context: MatchingContext, is_turned: torch.Tensor, view: torch.Tensor
    ) -> MatchingContext:
        """Episodes whose supports are seen from another of their views.

        Views of a view are views again, so no image is looked at a second time.

        Args:
            context: encoded episodes.
            is_turned: which of them, bool (B,).
            view: index of the view for each, int64 (B,).
        """
        view = torch.where(is_turned, view, 0)
        matrices = torch.stack([v.matrix() for v in self.views]).to(context.points)
        turned = torch.einsum('bij,bskj->bski', matrices[view], context.points - 0.5)
        table = self.composition[view]  # (B, V)
        tokens = tuple(
            part.gather(
                2,
                table[:, None, :, None, None].expand(
                    -1, part.shape[1], -1, *part.shape[3:]
                ),
            )
            for part in context.tokens
        )
        return replace(context, tokens=tokens, points=turned + 0.5)
