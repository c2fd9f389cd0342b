"""What the confidences and visibilities of an evaluation are worth."""

from __future__ import annotations

import numpy as np

from .calibration import (
    area_under_risk_coverage,
    auroc,
    brier_score,
    expected_calibration_error,
    risk_at_coverage,
    risk_coverage,
)
from .pair_records import PairRecord
from .quiet_dict import QuietDict
from .score_records import CORRECT_THRESHOLD, unpack_scores

COVERAGE_LEVELS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the keypoints, the most confident first, whose risk is reported."""


def confidence_metrics(scored: list[PairRecord]) -> dict:
    """How well confidences foretell which keypoints are correct; {} without any."""
    packed = [record.confidences for record in scored]
    if None in packed:
        return {}
    confidence, is_correct = unpack_scores(packed)
    if not len(confidence):
        return {}
    thr = f'{CORRECT_THRESHOLD:g}'
    coverage, risk = risk_coverage(confidence, ~is_correct)
    return {
        'mean_confidence': float(confidence.mean()),
        f'ECE@{thr}': expected_calibration_error(confidence, is_correct),
        f'Brier@{thr}': brier_score(confidence, is_correct),
        f'AURC@{thr}': area_under_risk_coverage(confidence, ~is_correct),
        f'risk_coverage@{thr}': QuietDict(
            (f'{level:g}', risk_at_coverage(coverage, risk, level))
            for level in COVERAGE_LEVELS
        ),
    }


def visibility_metrics(scored: list[PairRecord]) -> dict[str, float]:
    """Whether predicted visibility tells seen from hidden; {} if that has no answer."""
    packed = [record.visibilities for record in scored]
    if None in packed:
        return {}
    area = auroc(*unpack_scores(packed))
    return {} if np.isnan(area) else {'visibility_AUROC': area}
