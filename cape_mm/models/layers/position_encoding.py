"""Encodings of image positions."""

from __future__ import annotations

import math

import torch
from torch import nn


def sine_encoding(points: torch.Tensor, num_dims: int) -> torch.Tensor:
    """Sines and cosines of both coordinates at geometrically spaced frequencies.

    Convention:
        - ``points`` are (x, y) in [0, 1]; the longest wave is 2, the shortest 1 / 64

    Args:
        points: (..., 2).
        num_dims: size of the encoding, a multiple of 4.

    Returns:
        (..., num_dims): sin and cos of x, then of y.
    """
    frequencies = torch.logspace(0, 7, num_dims // 4, base=2, device=points.device)
    angles = (points.float() * math.pi)[..., None] * frequencies  # (..., 2, waves)
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
    return waves.flatten(-2).to(points.dtype)


def grid_points(
    height: int, width: int, device: torch.device | None = None
) -> torch.Tensor:
    """Centres of the cells of a feature map, (x, y) in [0, 1], float32 (H*W, 2)."""
    ys = torch.linspace(0.5 / height, 1 - 0.5 / height, height, device=device)
    xs = torch.linspace(0.5 / width, 1 - 0.5 / width, width, device=device)
    grid_y, grid_x = torch.meshgrid(ys, xs, indexing='ij')
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def squared_cell_distances(
    points: torch.Tensor, height: int, width: int
) -> torch.Tensor:
    """Squared distance of points to the centres of all cells, in cells.

    Args:
        points: (x, y) in [0, 1], (..., 2).
        height: of the feature map.
        width: of the feature map.

    Returns:
        (..., height * width).
    """
    cells = grid_points(height, width, points.device)
    offset = cells - points[..., None, :]
    # plain numbers: a tensor of them would have to be copied to the GPU
    return (offset[..., 0] * width).square() + (offset[..., 1] * height).square()


class PointEncoding(nn.Module):
    """Learned map of the sine encoding of a point to C channels.

    Args:
        embed_dims: C, a multiple of 4.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.project = nn.Linear(embed_dims, embed_dims)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """Encode (x, y) points in [0, 1]: (..., 2) -> (..., C)."""
        dtype = self.project.weight.dtype
        return self.project(sine_encoding(points.to(dtype), self.embed_dims))
