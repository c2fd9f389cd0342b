"""Where a keypoint should be, judged by where the others of a bent layout were found.

A Gaussian process over the expected layout: how far keypoints lie from where they were
expected is an affine map of where that was, plus something smooth. Every keypoint is
predicted from all others, each trusted as much as it is certain.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equation 5.12:
predicting each observation from the others takes one inverse for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

UNKNOWN_NOISE = 1e3
"""Variance of a keypoint that nobody has seen; lengths are the layout's spread."""
NEAR_CELLS = 2.6
"""A peak reaches so far, in cells along x and y."""


@dataclass(frozen=True)
class BentLayout:
    """Where the others make each keypoint expect.

    Attributes:
        points: means, (x, y) in [0, 1], (N, K, 2).
        variance: along x, likewise along y, (N, K).
    """

    points: torch.Tensor
    variance: torch.Tensor

    def log_density(self, cells: torch.Tensor) -> torch.Tensor:
        """Up to a constant, at cells (P, 2): (N, K, P)."""
        square = (cells - self.points[:, :, None]).square().sum(dim=-1)
        variance = self.variance[..., None]
        return -square / (2 * variance) - variance.log()


class Bending(nn.Module):
    """Predicts keypoints from the others, see the module; seven numbers are learned."""

    def __init__(self) -> None:
        super().__init__()
        self.log_affine = nn.Parameter(torch.tensor(0.02).log())
        self.log_smooth = nn.Parameter(torch.tensor(0.05).log())
        self.log_reach = nn.Parameter(torch.tensor(0.5).log())
        self.log_noise = nn.Parameter(torch.tensor(0.01).log())
        self.doubt_power = nn.Parameter(torch.tensor(2.0))
        self.log_width = nn.Parameter(torch.tensor(0.05).log())
        self.log_floor = nn.Parameter(torch.tensor(-6.0))

    def forward(
        self,
        logits: torch.Tensor,
        cells: torch.Tensor,
        expected: torch.Tensor,
        scale: torch.Tensor,
        is_known: torch.Tensor,
    ) -> torch.Tensor:
        """Log-density of every keypoint over the cells, given the others.

        Args:
            logits: maps that say where the keypoints are so far, (N, K, P).
            cells: (x, y) in [0, 1], (P, 2).
            expected: layout without bending, (x, y) in [0, 1], (N, K, 2).
            scale: its spread, (N, 1, 1).
            is_known: keypoint is visible in some support, bool (N, K).

        Returns:
            (N, K, P), never far below its floor; no gradient reaches the arguments.
        """
        with torch.no_grad():
            found, mass = peaks(logits, cells)
            known = is_known[..., None].to(found.dtype)
            num = known.sum(dim=1, keepdim=True).clamp(min=1)
            centre = (expected * known).sum(dim=1, keepdim=True) / num
            places = (expected - centre) / scale
            moved = (found - expected) / scale
        bent = self.predict(places, moved, mass, is_known)
        bent = BentLayout(
            expected.detach() + bent.points * scale.detach(),
            bent.variance * scale.detach()[..., 0].square()
            + (2 * self.log_width).exp(),
        )
        density = bent.log_density(cells)
        return torch.logaddexp(density, self.log_floor.expand_as(density))

    def predict(
        self,
        places: torch.Tensor,
        moved: torch.Tensor,
        mass: torch.Tensor,
        is_known: torch.Tensor,
    ) -> BentLayout:
        """Each displacement from all others.

        Args:
            places: where keypoints were expected, centred, in units of the spread,
                (N, K, 2).
            moved: how far from there they were found, (N, K, 2).
            mass: how sure that is, in (0, 1], (N, K).
            is_known: the others count for nothing, bool (N, K).

        Returns:
            Displacements and their variance, in the same units.
        """
        gaps = (places[:, :, None] - places[:, None]).square().sum(dim=-1)
        smooth = self.log_smooth.exp() * (-gaps / (2 * self.log_reach.exp() ** 2)).exp()
        affine = self.log_affine.exp() * (1 + places @ places.transpose(1, 2))
        noise = self.log_noise.exp() * mass ** -self.doubt_power.clamp(0, 4)
        noise = noise.clamp(max=UNKNOWN_NOISE).masked_fill(~is_known, UNKNOWN_NOISE)
        inverse = torch.linalg.inv(smooth + affine + noise.diag_embed())
        own = inverse.diagonal(dim1=1, dim2=2)
        points = moved - (inverse @ moved) / own[..., None]
        return BentLayout(points, (1 / own - noise).clamp(min=1e-5))


def peaks(
    logits: torch.Tensor, cells: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Centre of gravity around the highest cell of each map, and the mass there.

    Args:
        logits: (N, K, P).
        cells: of a square grid, (x, y) in [0, 1], (P, 2).

    Returns:
        Points (N, K, 2) and masses in (0, 1], (N, K).
    """
    share = logits.softmax(dim=-1)
    top = cells[logits.argmax(dim=-1)]
    reach = NEAR_CELLS / len(cells) ** 0.5
    near = (cells - top[:, :, None]).abs().amax(dim=-1) < reach
    share = share * near
    mass = share.sum(dim=-1).clamp(min=1e-4)
    return share @ cells / mass[..., None], mass
