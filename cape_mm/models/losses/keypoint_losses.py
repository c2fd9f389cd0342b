"""Losses of heat maps and coordinates, averaged so that accumulation is exact."""

from __future__ import annotations

import torch

from ..layers.heatmap import gaussian_target


def mean_over_pairs(values: torch.Tensor, is_scored: torch.Tensor) -> torch.Tensor:
    """Mean over the scored keypoints of each pair, then over all pairs.

    Every support-query pair weighs the same however many keypoints it shows, as in the
    metric. The divisor of the second mean is the number of pairs, not of keypoints: so
    the mean over micro-batches of equal size *is* the mean over the big batch, and
    accumulated gradients equal the big batch's even where visible counts differ.

    Args:
        values: (N, K).
        is_scored: bool (N, K); a pair without any scored keypoint adds 0.

    Returns:
        Scalar.
    """
    values = values.masked_fill(~is_scored, 0)
    counts = is_scored.sum(dim=1).clamp(min=1)
    return (values.sum(dim=1) / counts).mean()


def heatmap_cross_entropy(
    logits: torch.Tensor, points: torch.Tensor, is_scored: torch.Tensor, sigma: float
) -> torch.Tensor:
    """Cross-entropy between a Gaussian around the truth and the predicted heat map.

    Args:
        logits: (N, K, H, W).
        points: true (x, y) in [0, 1], (N, K, 2).
        is_scored: see :func:`mean_over_pairs`, (N, K).
        sigma: width of the target in cells.

    Returns:
        Scalar, in nats.
    """
    target = gaussian_target(points, logits.shape[-2:], sigma)
    log_prob = logits.float().flatten(2).log_softmax(dim=-1)
    return mean_over_pairs(-(target * log_prob).sum(dim=-1), is_scored)


def coordinate_l1(
    predicted: torch.Tensor, points: torch.Tensor, is_scored: torch.Tensor
) -> torch.Tensor:
    """L1 distance of points in [0, 1], summed over x and y.

    Args:
        predicted: (N, K, 2).
        points: (N, K, 2).
        is_scored: see :func:`mean_over_pairs`, (N, K).

    Returns:
        Scalar, as a fraction of the crop's side.
    """
    return mean_over_pairs((predicted - points).abs().sum(dim=-1), is_scored)
