"""Confidences are found by their pair, and the curves are those of the metric."""

from __future__ import annotations

import numpy as np
import pytest
from report_cases import entries_of, evaluate, make_pair, random_pairs

from cape_mm.analysis.report.reliability import measure_reliability, scored_confidences


def measure(pairs, entries=None):
    evaluation = evaluate(pairs)
    entries = evaluation.entries if entries is None else entries
    return evaluation.metrics, measure_reliability(evaluation.table, entries)


def test_bins_give_the_calibration_error_of_the_metric():
    metrics, found = measure(random_pairs())
    used = found.count > 0
    gaps = np.abs(found.accuracy - found.mean_confidence)[used]
    error = (found.count[used] * gaps).sum() / found.count.sum()
    assert error == pytest.approx(metrics['ECE@0.2'], abs=1e-12)
    mean = np.nansum(found.count * found.mean_confidence) / found.count.sum()
    assert mean == pytest.approx(metrics['mean_confidence'], abs=1e-12)


def test_curve_gives_the_risks_of_the_metric():
    metrics, found = measure(random_pairs())
    area = (np.diff(found.coverage, prepend=0) * found.risk).sum()
    assert area == pytest.approx(metrics['AURC@0.2'], abs=1e-12)
    assert found.risk[-1] == pytest.approx(metrics['risk_coverage@0.2']['1'])


def test_order_of_the_predictions_does_not_matter():
    pairs = random_pairs()
    expected = measure(pairs)[1]
    found = measure(pairs, entries_of(pairs)[::-1])[1]
    np.testing.assert_array_equal(found.mean_confidence, expected.mean_confidence)


def test_a_keypoint_keeps_its_own_confidence():
    """The second keypoint is not scored: its confidence is skipped."""
    pair = make_pair(0, 0, 1, [0.1, float('nan'), 0.3])
    entry = dict(episode_index=0, slot=0, keypoints=[0, 0, 0.5, 0, 0, 0.6, 0, 0, 0.7])
    found = scored_confidences(evaluate([pair]).table, [entry])
    assert found == pytest.approx([0.5, 0.7])


def test_no_confidences():
    assert measure(random_pairs(has_confidence=False))[1] is None
    assert measure(random_pairs(), entries=[])[1] is None


def test_rounded_probabilities_are_clipped_as_the_metric_does():
    pair = make_pair(0, 0, 1, [0.1])
    entry = dict(episode_index=0, slot=0, keypoints=[0, 0, 1.0004])
    assert scored_confidences(evaluate([pair]).table, [entry]).tolist() == [1.0]
