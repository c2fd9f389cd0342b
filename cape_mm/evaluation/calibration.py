"""Whether confidences mean what they say.

Functions of flat arrays, one entry per keypoint, all finite and of equal length: what
:mod:`~cape_mm.evaluation.scoring` lets through. They return NaN where they were given
nothing. At the end stands what an evaluation makes of them.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from .breakdowns import OneLineDict
from .results import CORRECT_THRESHOLD, ResultTable

NUM_ECE_BINS = 15
"""Bins of the expected calibration error, as Guo et al. use."""
COVERAGE_LEVELS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the keypoints, the most confident first, whose risk is reported."""


def confidence_bins(
    confidence: np.ndarray, is_correct: np.ndarray, num_bins: int = NUM_ECE_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of keypoints, and sums of confidence and correctness, in bins.

    Convention:
        - bin m of M holds confidences in ((m - 1) / M, m / M]; exactly 0 is in the
          first

    Args:
        confidence: in [0, 1], (N,).
        is_correct: bool (N,).
        num_bins: M.

    Returns:
        int (M,), float64 (M,) and float64 (M,).
    """
    inner_edges = np.arange(1, num_bins) / num_bins
    bins = np.digitize(confidence, inner_edges, right=True)
    weights = None, confidence, is_correct
    return tuple(np.bincount(bins, one, minlength=num_bins) for one in weights)


def expected_calibration_error(
    confidence: np.ndarray, is_correct: np.ndarray, num_bins: int = NUM_ECE_BINS
) -> float:
    """Mean gap between confidence and accuracy over bins of equal width.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3. What
    differs: a "prediction" is a keypoint and "accurate" means close enough, which the
    caller decides. Bins are weighted by their share of the keypoints.

    Args:
        confidence: in [0, 1], (N,).
        is_correct: bool (N,).
        num_bins: M, see :func:`confidence_bins`.

    Returns:
        Error in [0, 1], 0 is best; NaN if N is 0.
    """
    count, sure, correct = confidence_bins(confidence, is_correct, num_bins)
    total = count.sum()
    return float(np.abs(correct - sure).sum() / total) if total else float('nan')


def brier_score(confidence: np.ndarray, is_correct: np.ndarray) -> float:
    """Mean squared difference between confidence and outcome.

    Brier, Verification of Forecasts Expressed in Terms of Probability, 1950. What
    differs: one class instead of the sum over both, so it is half of his, in [0, 1].

    Args:
        confidence: in [0, 1], (N,).
        is_correct: bool (N,).

    Returns:
        Score in [0, 1], 0 is best; NaN if N is 0.
    """
    if not len(confidence):
        return float('nan')
    return float(np.square(confidence - is_correct).mean())


def risk_coverage(
    confidence: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean error of what remains if only the most confident keypoints are kept.

    Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS
    2017, section 2: coverage and selective risk as the threshold falls. What differs:
    keypoints of equal confidence are kept or dropped together, since no threshold
    tells them apart; the curve has one point per distinct confidence.

    Args:
        confidence: any finite numbers, larger is surer, (N,).
        error: what a kept keypoint costs, (N,); ``~is_correct`` gives the risk of
            being wrong.

    Returns:
        Coverage in (0, 1], ascending to 1, and risk at each, both (P,) for P distinct
        confidences; empty if N is 0.
    """
    order = np.argsort(-confidence, kind='stable')
    ranked = confidence[order]
    is_last = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    num_kept = np.flatnonzero(is_last) + 1
    risk = np.cumsum(error[order])[is_last] / num_kept
    return num_kept / max(len(ranked), 1), risk


def area_under_risk_coverage(confidence: np.ndarray, error: np.ndarray) -> float:
    """Area under :func:`risk_coverage`: the mean risk over all coverages.

    Every keypoint counts with the risk at its own threshold (Geifman, Uziel and
    El-Yaniv, Bias-Reduced Uncertainty Estimation, ICLR 2019, section 3). Equal
    confidences everywhere give the plain mean error.

    Args:
        confidence: any finite numbers, larger is surer, (N,).
        error: what a kept keypoint costs, (N,).

    Returns:
        Area in the unit of ``error``, lower is better; NaN if N is 0.
    """
    coverage, risk = risk_coverage(confidence, error)
    if not len(coverage):
        return float('nan')
    return float((np.diff(coverage, prepend=0) * risk).sum())


def auroc(score: np.ndarray, is_positive: np.ndarray) -> float:
    """Probability that a positive scores above a negative; a tie counts half.

    The area under the ROC curve by the ranks of the positives (Mann and Whitney 1947),
    where equal scores share their mean rank.

    Args:
        score: any finite numbers, (N,).
        is_positive: bool (N,).

    Returns:
        Area in [0, 1], 0.5 is chance; NaN unless both classes occur.
    """
    num_positive = int(is_positive.sum())
    num_negative = len(score) - num_positive
    if not num_positive or not num_negative:
        return float('nan')
    rank_sum = (rankdata(score) * is_positive).sum()
    least = num_positive * (num_positive + 1) / 2
    return float((rank_sum - least) / (num_positive * num_negative))


def scored_confidences(table: ResultTable) -> tuple[np.ndarray, np.ndarray] | None:
    """Confidence and correctness of the scored keypoints; None without confidences."""
    confidence = table.keypoints['score'].astype(np.float64)
    if not len(confidence) or np.isnan(confidence).any():
        return None
    return confidence, table.keypoints['distance'] < CORRECT_THRESHOLD


def confidence_metrics(table: ResultTable) -> dict:
    """How well confidences foretell which keypoints are correct; {} without any."""
    found = scored_confidences(table)
    if found is None:
        return {}
    confidence, is_correct = found
    coverage, risk = risk_coverage(confidence, ~is_correct)
    # the first point of the curve that covers enough
    places = np.searchsorted(coverage, np.array(COVERAGE_LEVELS) - 1e-12)
    thr = f'{CORRECT_THRESHOLD:g}'
    return {
        'mean_confidence': float(confidence.mean()),
        f'ECE@{thr}': expected_calibration_error(confidence, is_correct),
        f'Brier@{thr}': brier_score(confidence, is_correct),
        f'AURC@{thr}': area_under_risk_coverage(confidence, ~is_correct),
        f'risk_coverage@{thr}': OneLineDict(
            zip((f'{level:g}' for level in COVERAGE_LEVELS), risk[places].tolist())
        ),
    }


def visibility_metrics(table: ResultTable) -> dict[str, float]:
    """Whether predicted visibility tells seen from hidden; {} if that has no answer."""
    points = table.points[table.points['is_shared']]
    visible = points['visible'].astype(np.float64)
    if np.isnan(visible).any():
        return {}
    area = auroc(visible, points['is_scored'])
    return {} if np.isnan(area) else {'visibility_AUROC': area}
