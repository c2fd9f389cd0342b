"""Filters against their definition, and results of several videos."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cape_mm.errors import ConfigError
from cape_mm.inference import InferenceResult, smooth_results
from cape_mm.inference.smoothing import MedianFilter, OneEuroFilter


def result(points, frame=0, source='a.mp4') -> InferenceResult:
    points = np.asarray(points, float).reshape(-1, 1, 2)
    num = len(points)
    boxes = np.tile([0.0, 0, 100, 80], (num, 1))
    scores = np.ones((num, 1))
    return InferenceResult(source, frame, (100, 80), points, scores, scores, boxes)


def one_euro_by_hand(values, fps, scale, min_cutoff, beta, cutoff) -> list[float]:
    """Casiez et al., algorithm 1, for one number at a time."""

    def alpha(hertz: float) -> float:
        tau = 1 / (2 * math.pi * hertz)
        return 1 / (1 + tau * fps)

    filtered, speed = [values[0]], 0.0
    for value in values[1:]:
        derivative = (value - filtered[-1]) / scale * fps
        speed = alpha(cutoff) * derivative + (1 - alpha(cutoff)) * speed
        weight = alpha(min_cutoff + beta * abs(speed))
        filtered.append(weight * value + (1 - weight) * filtered[-1])
    return filtered


def test_one_euro_filter_is_that_of_the_paper():
    values = [10.0, 12.0, 9.0, 30.0, 31.0, 31.5]
    smooth = OneEuroFilter(20.0, 50.0, 1.2, 4.0, 0.9)
    points = [smooth(np.array([[value, 0.0]]))[0, 0] for value in values]
    expected = one_euro_by_hand(values, 20.0, 50.0, 1.2, 4.0, 0.9)
    np.testing.assert_allclose(points, expected)


def test_noise_shrinks_and_a_jump_is_followed():
    rng = np.random.default_rng(0)
    still = rng.normal(50, 1, (60, 1, 2))
    smooth = OneEuroFilter(25.0, 100.0)
    calm = np.stack([smooth(points) for points in still])
    assert calm[20:].std() < 0.6 * still[20:].std()
    for _ in range(25):
        last = smooth(np.full((1, 2), 90.0))
    np.testing.assert_allclose(last, 90, atol=1.0)


def test_median_filter():
    smooth = MedianFilter(3)
    found = [smooth(np.array([value, 0.0]))[0] for value in (1, 9, 2, 2, 50, 3)]
    assert found == [1, 5, 2, 2, 2, 3]


@pytest.mark.parametrize('method', ['one_euro', 'median'])
def test_every_video_is_smoothed_on_its_own(method):
    results = [
        *(result([[n % 2, 0]], n) for n in range(6)),
        *(result([[90 + n % 2, 0]], n, 'b.mp4') for n in range(6)),
    ]
    together = [r.keypoints for r in smooth_results(results, method)]
    apart = [r.keypoints for r in smooth_results(results[6:], method)]
    np.testing.assert_array_equal(together[6:], apart)
    assert (np.stack(together[6:]) >= 90 - 1e-9)[..., 0].all()
    spread = np.stack(together[2:6])[..., 0].std()
    assert spread < np.stack([r.keypoints for r in results[2:6]])[..., 0].std()


def test_pictures_pass_and_another_number_of_instances_starts_anew():
    still = result([[5, 5]], None, 'a.png')
    (same,) = smooth_results([still])
    assert same is still
    frames = [result([[0, 0]], 0), result([[0, 0], [50, 50]], 1), result([], 2)]
    frames += [result([[80, 80]], 3), result([], 4), result([[9, 9]], 5)]
    smoothed = list(smooth_results(frames))
    for before, after in zip(frames, smoothed):
        np.testing.assert_array_equal(before.keypoints, after.keypoints)


def test_sampled_frames_count_their_distance():
    near = list(smooth_results([result([[0, 0]], 0), result([[9, 0]], 1)], fps=10))
    far = list(smooth_results([result([[0, 0]], 0), result([[9, 0]], 5)], fps=10))
    assert near[1].keypoints[0, 0, 0] < far[1].keypoints[0, 0, 0] < 9


def test_unknown_method():
    with pytest.raises(ConfigError, match="got 'kalman'"):
        list(smooth_results([], 'kalman'))
