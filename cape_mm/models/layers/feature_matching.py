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
    feature_map = feature_map.float()
    return feature_map - feature_map.mean(dim=(2, 3), keepdim=True)


def unit_cells(feature_map: torch.Tensor, side: int) -> torch.Tensor:
    """A centred map on ``side`` x ``side`` cells, every cell of length 1.

    Args:
        feature_map: (N, C, H, W).
        side: of the grid.

    Returns:
        (N, C, side, side).
    """
    resized = F.interpolate(
        feature_map, size=(side, side), mode='bilinear', align_corners=False
    )
    return F.normalize(resized, dim=1)


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
    inner = tokens[0].shape[1:-1]
    for weight, token, feature_map in zip(weights, tokens, maps):
        if isinstance(weight, float) and weight == 0:
            continue
        cells = unit_cells(feature_map, side).flatten(2)
        # one support for all queries needs no copies of it
        if rows is not None and len(token) > 1:
            token = token[rows]
        cosines = torch.matmul(token.flatten(1, -2), cells)
        total = cosines * weight if total is None else total + cosines * weight
    return total.unflatten(1, inner)
