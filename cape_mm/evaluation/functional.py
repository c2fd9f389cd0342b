"""Keypoint errors and scores per instance; NumPy only, imports nothing of ours.

Every function returns one value per instance and NaN for an instance without a valid
keypoint. What such an instance is worth is the caller's decision: the official MP-100
protocol counts it as 0, the ``_valid`` metrics leave it out.
"""

from __future__ import annotations

import numpy as np

PCK_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25)
"""Thresholds of the official protocol, as fractions of the longer side of the box."""

NUM_AUC_THRESHOLDS = 20
"""AUC averages the PCK at 0, 1/20, .., 19/20, as MMPose 0.x does."""


def _check_keypoints(pred: np.ndarray, gt: np.ndarray, is_valid: np.ndarray) -> None:
    """Refuse shapes that disagree and coordinates that are no numbers."""
    if pred.ndim != 3 or pred.shape[-1] != 2 or pred.shape != gt.shape:
        raise ValueError(
            f'predicted and true keypoints must both be (N, K, 2), got {pred.shape} '
            f'and {gt.shape}'
        )
    if is_valid.shape != pred.shape[:2]:
        raise ValueError(
            f'is_valid must be (N, K) = {pred.shape[:2]}, got {is_valid.shape}'
        )
    for name, points in (('predicted', pred), ('true', gt)):
        broken = is_valid & ~np.isfinite(points).all(axis=-1)
        if broken.any():
            instance, keypoint = np.argwhere(broken)[0]
            raise ValueError(
                f'{broken.sum()} {name} keypoints are NaN or infinite; the first is '
                f'keypoint {keypoint} of instance {instance}: '
                f'{points[instance, keypoint].tolist()}'
            )


def distances(pred: np.ndarray, gt: np.ndarray, is_valid: np.ndarray) -> np.ndarray:
    """Euclidean distance of every valid keypoint to the truth, in pixels.

    Args:
        pred: predicted keypoints (x, y), (N, K, 2).
        gt: true keypoints (x, y), (N, K, 2).
        is_valid: keypoints to score, bool (N, K). What the others hold is not read.

    Returns:
        Distances in the unit of the coordinates, NaN where not valid, float64 (N, K).

    Raises:
        ValueError: shapes disagree, or a valid keypoint is NaN or infinite.
    """
    pred = np.asarray(pred, dtype=np.float64)
    gt = np.asarray(gt, dtype=np.float64)
    is_valid = np.asarray(is_valid, dtype=bool)
    _check_keypoints(pred, gt, is_valid)
    offsets = np.where(is_valid[..., None], pred, 0) - np.where(
        is_valid[..., None], gt, 0
    )
    return np.where(is_valid, np.linalg.norm(offsets, axis=-1), np.nan)


def normalized_distances(
    pred: np.ndarray, gt: np.ndarray, is_valid: np.ndarray, norm_size: np.ndarray
) -> np.ndarray:
    """Distance of every valid keypoint to the truth over the instance's size.

    Convention:
        - coordinates are (x, y) in original-image pixels, as is ``norm_size``
        - MP-100 divides by max(w, h) of the query's clean box

    Args:
        pred: predicted keypoints, (N, K, 2).
        gt: true keypoints, (N, K, 2).
        is_valid: keypoints to score, bool (N, K).
        norm_size: length that divides the distance, (N,), > 0.

    Returns:
        Distances as fractions of ``norm_size``, NaN where not valid, float64 (N, K).

    Raises:
        ValueError: shapes disagree, a valid keypoint is NaN or infinite, or a
            ``norm_size`` is not positive.
    """
    pixels = distances(pred, gt, is_valid)
    norm_size = np.asarray(norm_size, dtype=np.float64)
    if norm_size.shape != pixels.shape[:1]:
        raise ValueError(
            f'norm_size must be (N,) = {pixels.shape[:1]}, got {norm_size.shape}'
        )
    is_positive = np.isfinite(norm_size) & (norm_size > 0)
    if not is_positive.all():
        instance = int(np.argmin(is_positive))
        raise ValueError(
            f'norm_size must be positive, got {norm_size[instance]} for instance '
            f'{instance}'
        )
    return pixels / norm_size[:, None]


def mean_over_keypoints(values: np.ndarray) -> np.ndarray:
    """Mean over the entries that are not NaN; NaN for a row without any.

    Args:
        values: one value per keypoint, (N, K).

    Returns:
        Means, float64 (N,).
    """
    is_valid = ~np.isnan(values)
    count = is_valid.sum(axis=1)
    total = np.where(is_valid, values, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def fraction_below(values: np.ndarray, thr: float) -> np.ndarray:
    """Fraction of the entries that are not NaN that lie strictly below ``thr``.

    Args:
        values: one normalised distance per keypoint, (N, K).
        thr: threshold in the unit of ``values``.

    Returns:
        Fractions in [0, 1], NaN for a row without an entry, (N,).
    """
    is_below = np.where(np.isnan(values), np.nan, values < thr)
    return mean_over_keypoints(is_below)


def pck(
    pred: np.ndarray,
    gt: np.ndarray,
    is_valid: np.ndarray,
    norm_size: np.ndarray,
    thr: float,
) -> np.ndarray:
    """Fraction of keypoints closer than ``thr`` to the truth, per instance.

    Convention:
        - coordinates are (x, y) in original-image pixels, as is ``norm_size``
        - strict: a distance equal to the threshold counts as wrong
        - an instance without a valid keypoint is NaN, not 0

    Args:
        pred: predicted keypoints, (N, K, 2).
        gt: true keypoints, (N, K, 2).
        is_valid: keypoints to score, bool (N, K).
        norm_size: length that divides the distance, (N,), > 0.
        thr: threshold as a fraction of ``norm_size``.

    Returns:
        PCK in [0, 1] or NaN, (N,).

    Raises:
        ValueError: shapes disagree, a valid keypoint is NaN or infinite, or a
            ``norm_size`` is not positive.
    """
    return fraction_below(normalized_distances(pred, gt, is_valid, norm_size), thr)


def auc(
    pred: np.ndarray,
    gt: np.ndarray,
    is_valid: np.ndarray,
    norm_size: np.ndarray,
    num_thresholds: int = NUM_AUC_THRESHOLDS,
) -> np.ndarray:
    """Mean PCK over thresholds 0, 1/n, .., (n - 1)/n of the size, per instance.

    The threshold 0 scores nothing, so a perfect prediction reaches (n - 1)/n = 0.95:
    this is MMPose 0.x's definition, which the published MP-100 numbers use.

    Args:
        pred: predicted keypoints, (N, K, 2).
        gt: true keypoints, (N, K, 2).
        is_valid: keypoints to score, bool (N, K).
        norm_size: length that divides the distance, (N,), > 0.
        num_thresholds: n.

    Returns:
        AUC in [0, (n - 1)/n] or NaN, (N,).

    Raises:
        ValueError: as :func:`pck`.
    """
    values = normalized_distances(pred, gt, is_valid, norm_size)
    thresholds = np.arange(num_thresholds) / num_thresholds
    return np.mean([fraction_below(values, thr) for thr in thresholds], axis=0)


def nme(
    pred: np.ndarray, gt: np.ndarray, is_valid: np.ndarray, norm_size: np.ndarray
) -> np.ndarray:
    """Normalised mean error, per instance: mean distance over ``norm_size``.

    Args:
        pred: predicted keypoints, (N, K, 2).
        gt: true keypoints, (N, K, 2).
        is_valid: keypoints to score, bool (N, K).
        norm_size: length that divides the distance, (N,), > 0.

    Returns:
        Error >= 0 as a fraction of ``norm_size``, or NaN, (N,).

    Raises:
        ValueError: as :func:`pck`.
    """
    return mean_over_keypoints(normalized_distances(pred, gt, is_valid, norm_size))


def epe(pred: np.ndarray, gt: np.ndarray, is_valid: np.ndarray) -> np.ndarray:
    """End-point error, per instance: mean distance in pixels.

    Args:
        pred: predicted keypoints, (N, K, 2).
        gt: true keypoints, (N, K, 2).
        is_valid: keypoints to score, bool (N, K).

    Returns:
        Error >= 0 in pixels or NaN, (N,).

    Raises:
        ValueError: shapes disagree, or a valid keypoint is NaN or infinite.
    """
    return mean_over_keypoints(distances(pred, gt, is_valid))
