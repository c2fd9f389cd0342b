"""Calibration against hand-worked numbers, brute force and degenerate cases."""

import numpy as np
import pytest

from cape_mm.evaluation import calibration as C

CONFIDENCE = np.array([0.9, 0.8, 0.8, 0.3, 0.1])
IS_CORRECT = np.array([True, True, False, True, False])
EMPTY = np.zeros(0)


def random_scores(seed, levels=7):
    """50 scores of few levels, so with many ties, and labels that follow them."""
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, 50) / levels
    return score, rng.random(50) < score


@pytest.mark.parametrize('num_bins', [1, 15, 40])
def test_ece_equals_a_loop_over_bins(num_bins):
    score, is_correct = random_scores(1, levels=97)
    total = 0.0
    for m in range(1, num_bins + 1):
        inside = (score > (m - 1) / num_bins) & (score <= m / num_bins)
        inside |= (score == 0) & (m == 1)
        if inside.any():
            gap = abs(score[inside].mean() - is_correct[inside].mean())
            total += inside.mean() * gap
    value = C.expected_calibration_error(score, is_correct, num_bins)
    assert value == pytest.approx(total)


def test_brier_by_hand():
    squares = [0.1**2, 0.2**2, 0.8**2, 0.7**2, 0.1**2]
    assert C.brier_score(CONFIDENCE, IS_CORRECT) == pytest.approx(np.mean(squares))


def test_risk_coverage_equals_a_loop_over_thresholds():
    score, is_correct = random_scores(2)
    error = np.where(is_correct, 0.1, 2.0)  # any cost, not only right and wrong
    kept = [score >= threshold for threshold in np.unique(score)[::-1]]
    coverage, risk = C.risk_coverage(score, error)
    np.testing.assert_allclose(coverage, [k.mean() for k in kept])
    np.testing.assert_allclose(risk, [error[k].mean() for k in kept])
    own_risk = [error[score >= threshold].mean() for threshold in score]
    area = C.area_under_risk_coverage(score, error)
    assert area == pytest.approx(np.mean(own_risk))


@pytest.mark.parametrize('levels', [1, 3, 7, 1000])
def test_auroc_equals_counting_all_pairs(levels):
    score, is_positive = random_scores(4, levels)
    is_positive[:2] = [True, False]
    gaps = score[is_positive][:, None] - score[~is_positive][None]
    expected = ((gaps > 0) + 0.5 * (gaps == 0)).mean()
    assert C.auroc(score, is_positive) == pytest.approx(expected)
    assert C.auroc(-score, is_positive) == pytest.approx(1 - expected)


def test_auroc_needs_both_classes():
    assert np.isnan(C.auroc(CONFIDENCE, np.ones(5, bool)))
    assert np.isnan(C.auroc(CONFIDENCE, np.zeros(5, bool)))


def test_nothing_is_nan():
    assert np.isnan(C.expected_calibration_error(EMPTY, EMPTY))
    assert np.isnan(C.brier_score(EMPTY, EMPTY))
    assert np.isnan(C.area_under_risk_coverage(EMPTY, EMPTY))
    assert np.isnan(C.auroc(EMPTY, EMPTY))
    coverage, risk = C.risk_coverage(EMPTY, EMPTY)
    assert coverage.shape == risk.shape == (0,)
