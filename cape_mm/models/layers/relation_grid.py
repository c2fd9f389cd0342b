"""How the layout of a query relates to that of a support, judged by trying.

A *relation* is a similarity motion: the support seen in one of its views, turned a
little further, scaled and shifted. Every one says where each keypoint should be; the
similarity maps of that view say how well that fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .feature_matching import resize
from .views import View

BIN_DEGREES = 15
"""Angles are told apart in steps of this."""


@dataclass(frozen=True)
class Relations:
    """The likeliest relations of every row, R of them, of all its supports.

    Attributes:
        weights: their probabilities among each other, (N, R), likeliest first.
        points: where they put the keypoints, (x, y) in [0, 1], (N, R, K, 2).
        has_point: the relation's support shows the keypoint, bool (N, R, K).
    """

    weights: torch.Tensor
    points: torch.Tensor
    has_point: torch.Tensor


class RelationGrid(nn.Module):
    """Scores relations by similarity maps and by a learned prior.

    The prior tells by angle, mirroring, scale and shift; it starts flat. Nothing in
    here sees a feature, so nothing of a category can be learned by heart.

    Args:
        views: the V views of a support.
        scales: of the query's layout over the support's.
        max_shift: largest shift along x and y, as a fraction of the crop's side.
        num_shifts: shifts that are tried along x, likewise along y.
    """

    FINENESS = 2
    """Maps are read at the nearest cell of a grid that is so much finer."""

    def __init__(
        self,
        views: list[View],
        scales: tuple[float, ...] = (0.7, 0.84, 1.0, 1.19, 1.42),
        max_shift: float = 0.18,
        num_shifts: int = 7,
    ) -> None:
        super().__init__()
        turns = _further_turns(views)
        self.num_views = len(views)
        motions = [
            (v, turn, s) for v in views for turn in turns for s in range(len(scales))
        ]
        matrices = [
            View(v.degrees + turn, v.is_mirrored).matrix() * scales[s]
            for v, turn, s in motions
        ]
        angles = [(v.degrees + turn + 180) % 360 - 180 for v, turn, _ in motions]
        along = torch.linspace(-max_shift, max_shift, num_shifts)
        shifts = torch.cartesian_prod(along, along)
        constants = dict(
            matrices=torch.stack(matrices).view(len(views), -1, 2, 2),
            along=along,
            shifts=shifts,
            angle_bin=torch.tensor([round(abs(a) / BIN_DEGREES) for a in angles]),
            is_mirrored=torch.tensor([float(v.is_mirrored) for v, _, _ in motions]),
            scale_index=torch.tensor([s for _, _, s in motions]),
        )
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        self.log_sharpness = nn.Parameter(torch.tensor(12.0).log())
        self.keypoint_power = nn.Parameter(torch.tensor(0.5))
        self.angle_prior = nn.Parameter(torch.zeros(180 // BIN_DEGREES + 1))
        self.mirror_prior = nn.Parameter(torch.zeros(()))
        self.scale_prior = nn.Parameter(torch.zeros(len(scales)))
        self.shift_cost = nn.Parameter(torch.tensor(8.0))

    def forward(
        self,
        similarity: torch.Tensor,
        points: torch.Tensor,
        is_visible: torch.Tensor,
        rows: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Score all relations.

        Args:
            similarity: maps of the keypoints by support and view, (N, S, V, K, H, W).
            points: of the episodes' supports, centred, (B, S, K, 2).
            is_visible: bool (B, S, K).
            rows: episode of every map, int64 (N,); None: one after the other.

        Returns:
            Logits, (N, S, V, M, T): M motions of a view, T shifts.
        """
        if rows is None:
            rows = torch.arange(len(similarity), device=similarity.device)
        moved = torch.einsum('vmij,nskj->nsvkmi', self.matrices, points)
        side = self.FINENESS * similarity.shape[-1]
        maps = resize(similarity.flatten(0, 2), side).flatten(2)
        # shifts are all pairs of ``along``: a column and a row for each, then together
        cell = (moved[..., None] + self.along + 0.5) * side
        column, row = cell.long().clamp(0, side - 1).unbind(dim=-2)  # the nearest one
        index = (row[..., None, :] * side + column[..., None]).flatten(-3)
        index = (
            index.expand(len(rows), *index.shape[1:])
            if len(index) == 1
            else index[rows]
        )
        read = maps.view(*index.shape[:-1], -1).gather(-1, index)
        is_visible = is_visible[rows]
        seen = is_visible[:, :, None, :, None].to(read.dtype)
        count = is_visible.sum(dim=-1).clamp(min=1)[:, :, None, None].to(read.dtype)
        evidence = (read * seen).sum(dim=3) / count
        sharpness = self.log_sharpness.exp() * count**self.keypoint_power
        logits = sharpness * evidence
        return logits.unflatten(-1, (-1, len(self.shifts))) + self.prior()

    def prior(self) -> torch.Tensor:
        """Learned part of the logits, (V, M, T)."""
        of_motion = (
            self.angle_prior[self.angle_bin]
            + self.mirror_prior * self.is_mirrored
            + self.scale_prior[self.scale_index]
        )
        of_shift = -10 * self.shift_cost * self.shifts.square().sum(dim=-1)
        return of_motion.view(self.num_views, -1, 1) + of_shift

    def likeliest(
        self,
        logits: torch.Tensor,
        points: torch.Tensor,
        is_visible: torch.Tensor,
        num: int,
    ) -> Relations:
        """The best relations over all supports of each row.

        Args:
            logits: what :meth:`forward` returned.
            points: of the supports, centred, (N, S, K, 2).
            is_visible: bool (N, S, K).
            num: R.
        """
        shots, num_views, motions, num_shifts = logits.shape[1:]
        is_empty = ~is_visible.any(dim=-1)
        logits = logits.masked_fill(is_empty[:, :, None, None, None], -1e4)
        best, index = logits.flatten(1).topk(num, dim=1)
        shot = index // (num_views * motions * num_shifts)
        motion = index // num_shifts % (num_views * motions)
        matrix = self.matrices.flatten(0, 1)[motion]
        shift = self.shifts[index % num_shifts]
        own = points.gather(1, shot[..., None, None].expand(-1, -1, *points.shape[2:]))
        placed = torch.einsum('nrij,nrkj->nrki', matrix, own) + shift[:, :, None] + 0.5
        shown = is_visible.gather(1, shot[..., None].expand(-1, -1, points.shape[2]))
        return Relations(best.softmax(dim=-1), placed, shown)

    def loss(
        self,
        logits: torch.Tensor,
        points: torch.Tensor,
        truth: torch.Tensor,
        is_scored: torch.Tensor,
        sigma: float = 0.04,
    ) -> torch.Tensor:
        """Cross-entropy with the relations of the first support that put it right.

        Args:
            logits: what :meth:`forward` returned.
            points: of the first support, centred, (N, K, 2).
            truth: of the query, centred, (N, K, 2).
            is_scored: keypoints that both show, bool (N, K).
            sigma: how far off a relation may be, as a fraction of the crop's side.

        Returns:
            (N,), 0 for a row without a scored keypoint.
        """
        counts = is_scored[:, None, None, :, None].to(points.dtype)
        num = counts.sum(dim=3).clamp(min=1)  # (N, 1, 1, 1)
        moved = torch.einsum('vmij,nkj->nvmki', self.matrices, points)
        gap = moved - truth[:, None, None]
        # the mean of |gap + shift|^2 over the keypoints, without a tensor of all
        mean_gap = (gap * counts).sum(dim=3) / num
        mean_square = (gap.square() * counts).sum(dim=(3, 4))[..., None] / num
        error = mean_square + 2 * mean_gap @ self.shifts.T
        error = error + self.shifts.square().sum(dim=-1)
        target = (-error.flatten(1) / (2 * sigma**2)).softmax(dim=-1)
        entropy = -(target * logits[:, 0].flatten(1).log_softmax(dim=-1)).sum(dim=-1)
        return entropy * is_scored.any(dim=-1)


def _further_turns(views: list[View]) -> list[int]:
    """Turns, in degrees, that fill the gap to the neighbouring view."""
    angles = sorted({view.degrees for view in views})
    gap = angles[1] - angles[0] if len(angles) > 1 else 2 * BIN_DEGREES
    steps = int(gap / 2 // BIN_DEGREES)
    return [BIN_DEGREES * step for step in range(-steps, steps + 1)]
