"""Colour augmentation: what stays, what moves, and how far."""

import cv2
import numpy as np

from cape_mm.datasets.transforms import RandomPhotometric

NOISE = np.random.default_rng(0).integers(60, 180, (16, 16, 3), dtype=np.uint8)
STILL = dict(brightness=0, contrast=0, saturation=0, hue=0, prob=1)


def run(img, seed=0, **kwargs):
    results = dict(img=img, rng=np.random.default_rng(seed))
    return RandomPhotometric(**kwargs)(results)['img']


def flat(*bgr):
    return np.full((8, 8, 3), bgr, np.uint8)


def test_brightness_scales_within_its_limits():
    levels = [
        run(flat(100, 100, 100), seed, **{**STILL, 'brightness': 0.25}).mean()
        for seed in range(60)
    ]
    assert 74 <= min(levels) < 82
    assert 118 < max(levels) <= 126


def test_contrast_spreads_around_the_mean():
    img = NOISE[..., :1].repeat(3, axis=2)
    spreads = []
    for seed in range(40):
        out = run(img, seed, **{**STILL, 'contrast': 0.25})
        assert abs(out.mean() - img.mean()) < 1
        spreads.append(out.std() / img.std())
    assert 0.74 < min(spreads) < 0.85
    assert 1.15 < max(spreads) < 1.26
    even = run(flat(90, 90, 90), **{**STILL, 'contrast': 0.9})
    np.testing.assert_array_equal(even, flat(90, 90, 90))


def test_bright_images_are_cut_not_wrapped():
    out = run(flat(250, 250, 250), 1, **{**STILL, 'brightness': 0.5})
    brighter = [run(flat(250, 250, 250), s, brightness=0.5, prob=1) for s in range(20)]
    assert min(b.min() for b in [out, *brighter]) >= 120


def test_hue_wraps_around_red():
    hues = []
    for seed in range(40):
        red = run(flat(0, 0, 200), seed, **{**STILL, 'hue': 20.0})
        hues.append(2 * int(cv2.cvtColor(red, cv2.COLOR_BGR2HSV)[0, 0, 0]))  # degrees
    distance = [min(hue, 360 - hue) for hue in hues]
    assert 12 < max(distance) <= 22
    assert any(0 < hue < 180 for hue in hues) and any(hue > 180 for hue in hues)


def test_grey_stays_grey():
    grey = NOISE[..., :1].repeat(3, axis=2)
    out = run(grey, saturation=0.9, hue=90, prob=1)
    assert (out == out[..., :1]).all()
