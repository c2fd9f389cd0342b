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

    Raises:
        ValueError: ``num_dims`` is no multiple of 4.
    """
    if num_dims % 4:
        raise ValueError(f'num_dims must be a multiple of 4, got {num_dims}')
    num_waves = num_dims // 4
    steps = torch.arange(num_waves, device=points.device, dtype=torch.float32)
    frequencies = math.pi * 2 ** (steps * 7 / max(num_waves - 1, 1))
    angles = points.float()[..., None] * frequencies  # (..., 2, num_waves)
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
    return waves.flatten(-2).to(points.dtype)


def grid_points(
    height: int, width: int, device: torch.device | None = None
) -> torch.Tensor:
    """Centres of the cells of a feature map, (x, y) in [0, 1], float32 (H*W, 2)."""
    ys = (torch.arange(height, device=device) + 0.5) / height
    xs = (torch.arange(width, device=device) + 0.5) / width
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
