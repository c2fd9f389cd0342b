"""Confidence of every scored keypoint, from the pairs and the predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...evaluation.calibration import NUM_ECE_BINS, risk_coverage
from ...evaluation.prediction_dump import NO_CONFIDENCE
from ...evaluation.results import CORRECT_THRESHOLD, ResultTable


@dataclass(frozen=True)
class Reliability:
    """Keypoints by confidence; M bins as those of the expected calibration error.

    Attributes:
        count: keypoints of every bin, int64 (M,).
        mean_confidence: NaN for an empty bin, (M,).
        accuracy: share that is right, NaN for an empty bin, (M,).
        coverage: of the risk-coverage curve, ascending to 1, (P,).
        risk: share of the kept keypoints that is wrong, (P,).
    """

    count: np.ndarray
    mean_confidence: np.ndarray
    accuracy: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray


def measure_reliability(
    table: ResultTable, entries: Sequence[Mapping[str, Any]]
) -> Reliability | None:
    """Sort the scored keypoints by confidence.

    Args:
        table: the pairs, with their keypoints.
        entries: the predictions of the same pairs, as ``PredictionDump`` keeps them.

    Returns:
        None where the model has no confidences, or no keypoint was scored.
    """
    confidence = scored_confidences(table, entries)
    if confidence is None or not len(confidence):
        return None
    is_correct = table.keypoints['distance'] < CORRECT_THRESHOLD
    # bins as ``expected_calibration_error`` has them
    inner_edges = np.arange(1, NUM_ECE_BINS) / NUM_ECE_BINS
    bins = np.digitize(confidence, inner_edges, right=True)
    count = np.bincount(bins, minlength=NUM_ECE_BINS)
    used = np.where(count > 0, count, np.nan)
    sums = (
        np.bincount(bins, weights=values, minlength=NUM_ECE_BINS)
        for values in (confidence, is_correct)
    )
    means = [total / used for total in sums]
    return Reliability(count, *means, *risk_coverage(confidence, ~is_correct))


def scored_confidences(
    table: ResultTable, entries: Sequence[Mapping[str, Any]]
) -> np.ndarray | None:
    """Confidence of every keypoint of ``table.keypoints``, float64 (M,); None without.

    A keypoint is found by its pair, whatever the order of the entries.
    """
    scores = {
        (entry['episode_index'], entry['slot']): np.asarray(entry['keypoints'])[2::3]
        for entry in entries
    }
    if not scores or any((third == NO_CONFIDENCE).all() for third in scores.values()):
        return None
    rows, starts = np.unique(table.pair_of_keypoint, return_index=True)
    parts = np.split(table.keypoints['index'], starts[1:]) if len(rows) else []
    found = [
        scores[int(table.episode_index[row]), int(table.slot[row])][index]
        for row, index in zip(rows, parts)
    ]
    # the metric keeps them as float32, within [0, 1]
    joined = np.concatenate([np.zeros(0), *found]).astype(np.float32)
    return np.clip(joined.astype(np.float64), 0, 1)
