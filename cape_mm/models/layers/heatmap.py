"""Heat maps: targets, reading a point from one, and the windows labels are drawn as."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .position_encoding import grid_points, squared_cell_distances


def local_soft_argmax(
    logits: torch.Tensor, radius: int = 2
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean position of a heat map's strongest peak.

    The softmax is taken over the square window of ``2 * radius + 1`` cells around the
    largest logit, so a second peak elsewhere can't pull the point into the middle.

    Convention:
        - points are (x, y) in [0, 1]; a cell's point is its centre

    Args:
        logits: (N, K, H, W).
        radius: half-width of the window in cells.

    Returns:
        Points float32 (N, K, 2), differentiable within the window, and scores float32
        (N, K): the share of the whole heat map's mass inside the window, in [0, 1].
    """
    height, width = logits.shape[-2:]
    flat = logits.float().flatten(2)  # (N, K, H*W)
    peak = flat.argmax(dim=-1, keepdim=True)
    cell = torch.arange(height * width, device=flat.device)
    near_x = (cell % width - peak % width).abs() <= radius
    near_y = (cell // width - peak // width).abs() <= radius
    in_window = near_x & near_y
    # the peak is in the window, so no row is empty
    weights = flat.masked_fill(~in_window, float('-inf')).softmax(dim=-1)
    # no matrix product: autocast would round coordinates to bfloat16
    cells = grid_points(height, width, flat.device)
    points = (weights[..., None] * cells).sum(dim=-2)
    scores = (flat.softmax(dim=-1) * in_window).sum(dim=-1)
    return points, scores


def gaussian_target(
    points: torch.Tensor, size: tuple[int, int], sigma: float
) -> torch.Tensor:
    """Heat map that a point should produce: a Gaussian that sums to 1.

    Args:
        points: (x, y) in [0, 1], (N, K, 2).
        size: (H, W) of the heat map.
        sigma: standard deviation in cells.

    Returns:
        float32 (N, K, H*W).
    """
    height, width = size
    distances = squared_cell_distances(points.float(), height, width)
    return (-distances / (2 * sigma**2)).softmax(dim=-1)


def sample_at(feature_map: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Bilinear samples of a feature map.

    Args:
        feature_map: (N, C, H, W).
        points: (x, y) in [0, 1], (N, K, 2); clamped to the border outside.

    Returns:
        (N, K, C) in the map's dtype.
    """
    # a NaN index is a memory error on the CPU; the loss check reports NaN itself
    grid = points.float().nan_to_num(0.5)[:, :, None] * 2 - 1
    samples = F.grid_sample(
        feature_map.float(), grid, padding_mode='border', align_corners=False
    )
    return samples[..., 0].transpose(1, 2).to(feature_map.dtype)


def window_profiles(
    points: torch.Tensor, size: int, sigma: float, input_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Columns and rows of a Gaussian about the cell that is nearest to a point.

    Convention:
        - the Gaussian ends three sigma from its cell, and is 1 there
        - a cell's point is a whole number of pixels: pixel = cell * input / size

    Args:
        points: (x, y) in [0, 1], (..., 2).
        size: side of the heat map in cells.
        sigma: standard deviation in cells.
        input_size: side of the image in pixels.

    Returns:
        Profiles along x and along y, each (..., size); the heat map is their product.
    """
    cells = ((points * input_size - 0.5) * (size / input_size) + 0.5).long()
    offsets = torch.arange(size, device=points.device) - cells[..., None]
    heights = (-offsets.square() / (2 * sigma**2)).exp()
    profiles = heights * (offsets.abs() <= 3 * sigma)
    return profiles.unbind(-2)


def resizing_matrix(source: int, target: int, device: torch.device) -> torch.Tensor:
    """Bilinear resizing of one side as a matrix, float32 (source, target)."""
    unit = torch.eye(source, device=device)[:, None]
    return F.interpolate(unit, size=target, mode='linear', align_corners=False)[:, 0]


def pool_windows(
    feature_map: torch.Tensor, profiles: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """Mean of a map, resized to a heat map's size, weighted by the heat map.

    The weights are brought to the map instead: the same sums of far fewer numbers.

    Args:
        feature_map: (R, C, H, W).
        profiles: of R heat maps per keypoint, twice (R, K, size).

    Returns:
        (R, K, C); zero where a heat map is empty.
    """
    along_x, along_y = (
        profile @ resizing_matrix(cells, profile.shape[-1], profile.device).T
        for profile, cells in zip(profiles, feature_map.shape[:-3:-1])
    )
    weights = (along_y[..., :, None] * along_x[..., None, :]).flatten(-2)  # (R, K, H*W)
    weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-8)
    features = feature_map.flatten(2).transpose(1, 2)
    return weights.to(features.dtype) @ features


def resized_windows(
    profiles: tuple[torch.Tensor, torch.Tensor], size: tuple[int, int]
) -> torch.Tensor:
    """Heat maps resized to a map and scaled to a largest value of 1.

    Args:
        profiles: twice (N, K, cells).
        size: (H, W).

    Returns:
        (N, K, H, W); zero where nothing of a heat map is left.
    """
    along_x, along_y = (
        profile @ resizing_matrix(profile.shape[-1], cells, profile.device)
        for profile, cells in zip(profiles, reversed(size))
    )
    maps = along_y[..., :, None] * along_x[..., None, :]
    return maps / (maps.flatten(-2).amax(dim=-1)[..., None, None] + 1e-10)
