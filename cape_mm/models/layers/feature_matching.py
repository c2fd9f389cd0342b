"""Comparing what images show, by the features of a backbone and nothing else.

A feature map is centred over its own cells and every cell's vector is scaled to length
1; similarity is the sum of the levels' cosines. Centring takes away what all cells have
in common, which is most of a ReLU network's features.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F

from .heatmap import sample_at


def centre_map(feature_map: torch.Tensor) -> torch.Tensor:
    """A map (N, C, H, W) minus its mean over the cells, float32."""
    feature_map = feature_map.float().contiguous()
    return feature_map - feature_map.mean(dim=(2, 3), keepdim=True)


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # kept, and used by later training, too
def interpolation(size: int, side: int, device: torch.device) -> torch.Tensor:
    """Bilinear interpolation along one axis, a matrix (side, size)."""
    unit = torch.eye(size, device=device)[None]
    return F.interpolate(unit, side, mode='linear', align_corners=False)[0].T


def resize(maps: torch.Tensor, side: int) -> torch.Tensor:
    """Maps (..., H, H) on ``side`` x ``side`` cells, bilinearly.

    By two products of matrices, which a CPU does in a third of the time that PyTorch's
    own interpolation takes.
    """
    if maps.shape[-1] == side:
        return maps
    weights = interpolation(maps.shape[-1], side, maps.device).to(maps.dtype)
    return weights @ (maps @ weights.T)


def resized_lengths(feature_map: torch.Tensor, side: int) -> torch.Tensor:
    """Lengths of the cells' vectors of a map once it is resized, (N, side, side).

    A resized cell lies between two of its column, so its length follows from theirs and
    from their product: only one axis has to be resized.
    """
    if feature_map.shape[-1] == side:
        return feature_map.square().sum(dim=1).sqrt()
    weights = interpolation(feature_map.shape[-1], side, feature_map.device)
    weights = weights.to(feature_map.dtype)
    columns = feature_map @ weights.T  # (N, C, H, side)
    squares = columns.square().sum(dim=1)
    products = (columns[:, :, 1:] * columns[:, :, :-1]).sum(dim=1)
    mixed = 2 * weights[:, 1:] * weights[:, :-1]
    total = weights.square() @ squares + mixed @ products
    return total.clamp(min=0).sqrt()


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
        cosines = cosine_maps(token, feature_map, side, rows, weight)
        total = cosines if total is None else total + cosines
    return total


def cosine_maps(
    tokens: torch.Tensor,
    feature_map: torch.Tensor,
    side: int,
    rows: torch.Tensor | None = None,
    weight: float | torch.Tensor = 1.0,
) -> torch.Tensor:
    """Cosines of tokens with the cells of a map that is resized to a grid.

    Resizing and comparing are linear, so the map is compared before it grows.

    Args:
        tokens: (N, ..., C) of length 1; or (B, ..., C) with ``rows``.
        feature_map: (N, C, H, W), centred.
        side: of the grid.
        rows: which of B tokens go with each map, int64 (N,).
        weight: factor on all.

    Returns:
        float32 (N, ..., side * side).
    """
    if feature_map.shape[-1] > side:
        feature_map = resize(feature_map, side)
    factor = weight / resized_lengths(feature_map, side).clamp(min=1e-12)
    is_fine = feature_map.shape[-1] == side
    if is_fine:  # the map is smaller than what comes out
        feature_map = feature_map * factor[:, None]
    # one support for all queries needs no copies of it
    if rows is not None and len(tokens) > 1:
        tokens = tokens[rows]
    dots = torch.matmul(tokens.flatten(1, -2), feature_map.flatten(2))
    if not is_fine:
        dots = resize(dots.unflatten(2, feature_map.shape[-2:]), side).flatten(2)
        dots = dots * factor.flatten(1)[:, None]
    return dots.unflatten(1, tokens.shape[1:-1])
