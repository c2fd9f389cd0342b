"""Comparing what images show, by the features of a backbone and nothing else.

A feature map is centred over its own cells and every cell's vector is scaled to length
1; similarity is the sum of the levels' cosines. Centring takes away what all cells have
in common, which is most of a ReLU network's features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .heatmap import sample_at


def centre_map(feature_map: torch.Tensor) -> torch.Tensor:
    """A map (N, C, H, W) minus its mean over the cells, float32."""
    feature_map = feature_map.float().contiguous()
    return feature_map - feature_map.mean(dim=(2, 3), keepdim=True)


def resize(maps: torch.Tensor, side: int) -> torch.Tensor:
    """Maps (N, C, H, W) on ``side`` x ``side`` cells, bilinearly."""
    if maps.shape[-2:] == (side, side):
        return maps
    return F.interpolate(maps, (side, side), mode='bilinear', align_corners=False)


def unit_samples(feature_map: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """What a centred map shows at points, scaled to length 1.

    Args:
        feature_map: (N, C, H, W).
        points: (x, y) in [0, 1], (N, K, 2).

    Returns:
        (N, K, C).
    """
    return F.normalize(sample_at(feature_map, points), dim=-1)


def similarity_maps(
    tokens: Sequence[torch.Tensor],
    maps: Sequence[torch.Tensor],
    weights: Sequence[float] | torch.Tensor,
    side: int,
    rows: torch.Tensor | None = None,
) -> torch.Tensor:
    """Weighted sum over the levels of the cosines of tokens and cells.

    Args:
        tokens: per level (N, ..., C) of length 1; or (B, ..., C) with ``rows``.
        maps: per level (N, C, H, W), centred.
        weights: of the levels.
        side: of the grid of cells.
        rows: which of B tokens go with each map, int64 (N,).

    Returns:
        float32 (N, ..., side * side).
    """
    total = None
    for weight, token, feature_map in zip(weights, tokens, maps):
        if isinstance(weight, float) and weight == 0:
            continue
        cosines = weight * cosine_maps(token, feature_map, side, rows)
        total = cosines if total is None else total + cosines
    return total


def cosine_maps(
    tokens: torch.Tensor,
    feature_map: torch.Tensor,
    side: int,
    rows: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cosines of tokens with the cells of a map that is resized to a grid.

    Resizing and comparing are linear, so the map is compared before it grows.

    Args:
        tokens: (N, ..., C) of length 1; or (B, ..., C) with ``rows``.
        feature_map: (N, C, H, W), centred.
        side: of the grid.
        rows: which of B tokens go with each map, int64 (N,).

    Returns:
        float32 (N, ..., side * side).
    """
    cells = resize(feature_map, side)
    length = cells.square().sum(dim=1).sqrt().clamp(min=1e-12).flatten(1)
    if feature_map.shape[-1] > side:
        feature_map = cells
    # one support for all queries needs no copies of it
    if rows is not None and len(tokens) > 1:
        tokens = tokens[rows]
    dots = torch.matmul(tokens.flatten(1, -2), feature_map.flatten(2))
    dots = resize(dots.unflatten(2, feature_map.shape[-2:]), side)
    cosines = dots.flatten(2) / length[:, None]
    return cosines.unflatten(1, tokens.shape[1:-1])
