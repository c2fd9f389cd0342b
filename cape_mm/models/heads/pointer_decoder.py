"""Points at one of a keypoint's candidates, given where earlier ones were put.

Nothing in here sees a feature: only where candidates and earlier keypoints lie, in the
query and in the layout that the support makes expect, and how sure they are. So
generated objects that turn and bend can teach it for real ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..layers import grid_points
from ..layers.transformer import zero_layer
from .decode_order import skeleton_order

FAR_HOPS = 6
NUM_PAIR_FEATURES = 12
NUM_OWN_FEATURES = 6


@dataclass(frozen=True)
class Candidates:
    """Peaks of the keypoints' maps, M of each.

    Attributes:
        points: (x, y) in [0, 1], (N, K, M, 2), the highest first.
        logits: height of the peaks, (N, K, M).
        is_peak: a map may have fewer, bool (N, K, M).
    """

    points: torch.Tensor
    logits: torch.Tensor
    is_peak: torch.Tensor

    def take(self, index: torch.Tensor) -> Candidates:
        """Those of one keypoint per row; ``index`` int64 (N, 1)."""
        picked = []
        for part in (self.points, self.logits, self.is_peak):
            where = index.view(len(index), 1, *[1] * (part.dim() - 2))
            picked.append(part.gather(1, where.expand(-1, -1, *part.shape[2:])))
        return Candidates(*picked)

    def guess(self) -> Emitted:
        """The highest peaks, before any keypoint has been emitted."""
        return Emitted(self.points[:, :, 0], self.logits.softmax(dim=-1)[..., 0])

    def choose(self, scores: torch.Tensor) -> torch.Tensor:
        """Points of the highest scores (N, K, M), (N, K, 2)."""
        best = scores.argmax(dim=-1)[..., None, None].expand(-1, -1, -1, 2)
        return self.points.gather(2, best)[:, :, 0]


def find_candidates(logits: torch.Tensor, side: int, num: int) -> Candidates:
    """The highest cells of maps that no higher one lies near, within two cells.

    Args:
        logits: maps (N, K, side * side).
        side: of the maps.
        num: M.
    """
    maps = logits.unflatten(-1, (side, side))
    is_peak = (F.max_pool2d(maps, 5, stride=1, padding=2) == maps).flatten(2)
    height, cell = logits.masked_fill(~is_peak, -1e4).topk(num, dim=-1)
    points = grid_points(side, side, logits.device)[cell]
    return Candidates(points, height, height > -5e3)


@dataclass(frozen=True)
class Emitted:
    """What is known of the other keypoints when one is asked for.

    Attributes:
        points: where they were put, (x, y) in [0, 1], (N, K, 2).
        scores: how sure that is, in [0, 1], (N, K).
    """

    points: torch.Tensor
    scores: torch.Tensor


class PointerDecoder(nn.Module):
    """Corrects the heights of candidates by their fit with the emitted keypoints.

    Every candidate compares how far it lies from where the layout expects its keypoint
    with how far emitted keypoints lie from where theirs were expected: near ones that
    agree speak for it. The correction starts at zero.

    Args:
        hidden_dims: width of the two small networks.
        num_heads: ways to weigh the emitted keypoints.
    """

    def __init__(self, hidden_dims: int = 48, num_heads: int = 4) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.pair = nn.Sequential(
            nn.Linear(NUM_PAIR_FEATURES, hidden_dims),
            nn.GELU(),
            nn.Linear(hidden_dims, hidden_dims),
            nn.GELU(),
        )
        self.attention = nn.Linear(hidden_dims, num_heads)
        self.value = nn.Linear(hidden_dims, hidden_dims)
        self.correction = nn.Sequential(
            nn.Linear(hidden_dims + NUM_OWN_FEATURES, hidden_dims),
            nn.GELU(),
            # what all candidates gain changes nothing
            nn.Linear(hidden_dims, 1, bias=False),
        )
        zero_layer(self.correction[-1])

    def forward(
        self,
        asked: Candidates,
        expected: torch.Tensor,
        emitted: Emitted,
        layout: Layout,
        is_seen: torch.Tensor,
        hops: torch.Tensor,
    ) -> torch.Tensor:
        """Score the candidates of I keypoints.

        Args:
            asked: their candidates, (N, I, M).
            expected: where the layout expects them, (N, I, 2).
            emitted: the J = K other keypoints.
            layout: where all of them were expected.
            is_seen: which of them each asked keypoint may look at, bool (N, I, J).
            hops: graph distances, (N, I, J).

        Returns:
            Logits (N, I, M).
        """
        scale = layout.scale
        off = (asked.points - expected[:, :, None]) / scale[:, None]  # (N, I, M, 2)
        others_off = (emitted.points - layout.points) / scale  # (N, J, 2)
        between = (layout.points[:, None] - expected[:, :, None]) / scale[:, None]
        apart = (asked.points[:, :, :, None] - emitted.points[:, None, None]) / scale[
            :, None, None
        ]
        differs = off[:, :, :, None] - others_off[:, None, None]  # (N, I, M, J, 2)
        near = 1 / (1 + hops.clamp(max=FAR_HOPS).to(off.dtype))
        shape = differs.shape[:-1]
        of_emitted = torch.stack([emitted.scores, others_off.norm(dim=-1)], dim=-1)
        of_pair = torch.cat(
            [between, between.norm(dim=-1, keepdim=True), near[..., None]], dim=-1
        )
        features = torch.cat(
            [
                differs,
                differs.norm(dim=-1, keepdim=True),
                apart,
                apart.norm(dim=-1, keepdim=True),
                of_pair[:, :, None].expand(*shape, -1),
                of_emitted[:, None, None].expand(*shape, -1),
            ],
            dim=-1,
        )
        said = self._listen(self.pair(features), is_seen)
        top = asked.logits.amax(dim=-1, keepdim=True)
        own = torch.stack(
            [
                (asked.logits - top).clamp(min=-20) / 5,
                asked.logits.softmax(dim=-1),
                off.norm(dim=-1),
                layout.certainty[:, None, None].expand(shape[:3]),
            ],
            dim=-1,
        )
        corrected = self.correction(torch.cat([said, own, off], dim=-1))[..., 0]
        return (asked.logits + corrected).masked_fill(~asked.is_peak, -1e4)

    def decode(
        self,
        candidates: Candidates,
        layout: Layout,
        is_known: torch.Tensor,
        hops: torch.Tensor,
        num_steps: int,
        again: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Point at candidates, one keypoint after the other, the surest first.

        Args:
            candidates: of all keypoints.
            layout: where they were expected.
            is_known: keypoint is visible in some support, bool (N, K).
            hops: graph distances, (N, K, K).
            num_steps: largest number of known keypoints among the rows.
            again: point once more at the end, with all others in sight.

        Returns:
            Points (N, K, 2) and the candidates' final logits (N, K, M), in the
            keypoints' own order.
        """
        emitted, logits = candidates.guess(), candidates.logits
        # without a graph, all keypoints are equally far: the order is that of scores
        order = skeleton_order(torch.zeros_like(hops), emitted.scores, is_known)
        is_done = torch.zeros_like(is_known)
        for step in range(num_steps):
            index = order[:, step : step + 1]
            pick = index[..., None]
            asked = candidates.take(index)
            scores = self(
                asked,
                layout.points.gather(1, pick.expand(-1, -1, 2)),
                emitted,
                layout,
                is_done[:, None],
                hops.gather(1, pick.expand(-1, -1, hops.shape[2])),
            )
            emitted = Emitted(
                emitted.points.scatter(1, pick.expand(-1, -1, 2), asked.choose(scores)),
                emitted.scores.scatter(1, index, scores.softmax(dim=-1).amax(dim=-1)),
            )
            logits = logits.scatter(1, pick.expand(-1, -1, scores.shape[2]), scores)
            is_done = is_done.scatter(1, index, is_known.gather(1, index))
        if not again:
            return emitted.points, logits
        itself = torch.eye(is_known.shape[1], dtype=torch.bool, device=is_known.device)
        others = is_known[:, None] & ~itself
        logits = self(candidates, layout.points, emitted, layout, others, hops)
        return candidates.choose(logits), logits

    def _listen(self, pairs: torch.Tensor, is_seen: torch.Tensor) -> torch.Tensor:
        """Weighted sum over the emitted keypoints, (N, I, M, hidden_dims)."""
        is_seen = is_seen[:, :, None, :, None]
        weights = self.attention(pairs).masked_fill(~is_seen, -1e4)
        # a place for "nobody": weights of few or doubtful keypoints need not sum to 1
        weights = F.pad(weights, (0, 0, 0, 1)).softmax(dim=3)[..., :-1, :] * is_seen
        values = self.value(pairs).unflatten(-1, (self.num_heads, -1))
        return (weights[..., None] * values).sum(dim=3).flatten(-2)


@dataclass(frozen=True)
class Layout:
    """Where the support's layout makes the keypoints of a query expect.

    Attributes:
        points: (x, y) in [0, 1], (N, K, 2).
        scale: spread of the known ones, as a fraction of the side, (N, 1, 1).
        certainty: probability of the relation that it is read from, (N,).
    """

    points: torch.Tensor
    scale: torch.Tensor
    certainty: torch.Tensor

    def detach(self) -> Layout:
        """The same, without a gradient."""
        return Layout(
            self.points.detach(), self.scale.detach(), self.certainty.detach()
        )

    @classmethod
    def of(
        cls, points: torch.Tensor, is_known: torch.Tensor, certainty: torch.Tensor
    ) -> Layout:
        """The layout with its spread; unknown keypoints do not count."""
        known = is_known[..., None].to(points.dtype)
        num = known.sum(dim=1, keepdim=True).clamp(min=1)
        centre = (points * known).sum(dim=1, keepdim=True) / num
        square = ((points - centre).square() * known).sum(dim=(1, 2), keepdim=True)
        return cls(points, (square / num).sqrt().clamp(min=0.05), certainty)
