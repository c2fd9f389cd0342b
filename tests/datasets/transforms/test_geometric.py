"""Crop and warp: pixels and keypoints move together, and so do whole episodes."""

import numpy as np
import pytest

from cape_mm.datasets.transforms import (
    EpisodeFlip,
    InstanceCrop,
    RandomInstanceAffine,
    WarpInstance,
)
from cape_mm.structures.geometry import apply_affine

KEYPOINTS = np.array([[60.0, 50.0], [95.0, 70.0], [70.0, 90.0]], dtype=np.float32)
BBOX = np.array([50.0, 40.0, 60.0, 56.0])


def dots(points, size=(160, 140), sigma=2.0):
    """One soft dot per colour channel, keypoint c in channel c, (H, W, 3)."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    channels = [
        np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points
    ]
    return np.round(255 * np.stack(channels, axis=-1)).astype(np.uint8)


def centroids(img):
    """Centre of mass of every channel, (3, 2)."""
    img = img.astype(np.float64)
    x, y = np.meshgrid(np.arange(img.shape[1]), np.arange(img.shape[0]))
    mass = img.sum(axis=(0, 1))
    columns = (img * x[..., None]).sum(axis=(0, 1)) / mass
    rows = (img * y[..., None]).sum(axis=(0, 1)) / mass
    return np.stack([columns, rows], axis=1)


def instance(**overrides):
    results = dict(
        img=dots(KEYPOINTS), bbox=BBOX.copy(), keypoints_orig=KEYPOINTS.copy()
    )
    return {**InstanceCrop()(results), **overrides}


def warp(results, side=128):
    return WarpInstance((side, side))(results)


CROPS = {
    'official': {},
    'turned': dict(crop_rotation=35.0),
    'turned back': dict(crop_rotation=-90.0),
    'larger': dict(crop_side=100.0),
    'smaller': dict(crop_side=66.0),
    'shifted': dict(crop_shift=(0.07, -0.05)),
    'flipped': dict(flip=True),
    'everything': dict(
        crop_rotation=-25.0, crop_side=90.0, crop_shift=(-0.05, 0.08), flip=True
    ),
}


@pytest.mark.parametrize('crop', CROPS)
def test_dots_are_found_at_the_warped_keypoints(crop):
    results = warp(instance(**CROPS[crop]))
    found = centroids(results['img'])
    np.testing.assert_allclose(found, results['keypoints'], atol=0.12)


@pytest.mark.parametrize('crop', CROPS)
def test_crop_to_image_leads_back(crop):
    results = warp(instance(**CROPS[crop]))
    back = apply_affine(results['crop_to_image'], results['keypoints'])
    np.testing.assert_allclose(back, KEYPOINTS, atol=1e-4)


def test_official_crop_by_hand():
    results = warp(instance(), side=150)
    # centre (80, 68), longer side 60, times 1.25 = 75 pixels onto 150
    np.testing.assert_array_equal(results['crop_center'], [80, 68])
    assert results['crop_side'] == 75
    expected = (KEYPOINTS - [80, 68]) * 2 + 75
    np.testing.assert_allclose(results['keypoints'], expected, rtol=1e-6)


def draw_affine(seed, **kwargs):
    results = instance(rng=np.random.default_rng(seed))
    return RandomInstanceAffine(**kwargs)(results)


def test_affine_stays_within_its_limits_and_reaches_them():
    kwargs = dict(rotation=30.0, scale=(0.8, 1.25), shift=0.08, prob=1.0)
    drawn = [draw_affine(seed, **kwargs) for seed in range(300)]
    for values, low, high in (
        ([d['crop_rotation'] for d in drawn], -30, 30),
        ([np.log(d['crop_side'] / 75) for d in drawn], np.log(0.8), np.log(1.25)),
        ([d['crop_shift'][0] for d in drawn], -0.08, 0.08),
        ([d['crop_shift'][1] for d in drawn], -0.08, 0.08),
    ):
        margin = 0.05 * (high - low)
        assert low <= min(values) < low + margin
        assert high - margin < max(values) <= high
        assert abs(np.mean(values) - (low + high) / 2) < margin


def test_episode_flip_depends_on_the_episode_alone():
    flips = []
    for seed in range(200):
        same_episode = [
            EpisodeFlip()(dict(episode_seed=seed, rng=np.random.default_rng(i)))['flip']
            for i in range(4)
        ]
        assert len(set(same_episode)) == 1
        flips.append(same_episode[0])
    assert 70 < sum(flips) < 130


def test_squeeze_shortens_one_direction():
    """Areas shrink by the factor; keypoints go with the picture; nothing is drawn
    where nothing is asked for."""
    results = dict(
        bbox=np.array([10.0, 20.0, 40.0, 30.0]), rng=np.random.default_rng(0)
    )
    crop = InstanceCrop()(results)
    options = dict(rotation=0.0, scale=(1.0, 1.0), shift=0.0, prob=1.0)
    plain = RandomInstanceAffine(**options)(dict(crop, rng=np.random.default_rng(0)))
    assert 'crop_squeeze' not in plain
    squeeze = RandomInstanceAffine(**options, squeeze=0.5)
    image = np.zeros((80, 80, 3), np.uint8)
    points = np.array([[30.0, 35.0], [25.0, 40.0], [40.0, 30.0]])
    areas = []
    for seed in range(20):
        drawn = squeeze(dict(crop, rng=np.random.default_rng(seed)))
        angle, factor = drawn['crop_squeeze']
        assert 0.5 <= factor <= 1
        warped = WarpInstance((64, 64))(dict(drawn, img=image, keypoints_orig=points))
        unsqueezed = WarpInstance((64, 64))(
            dict(plain, img=image, keypoints_orig=points)
        )
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        before = unsqueezed['keypoints'] - 31.5
        after = warped['keypoints'] - 31.5
        np.testing.assert_allclose(after @ along, factor * (before @ along), atol=1e-3)
        np.testing.assert_allclose(after @ across, before @ across, atol=1e-3)
        back = apply_affine(warped['crop_to_image'], warped['keypoints'])
        np.testing.assert_allclose(back, points, atol=1e-3)
        areas.append(factor)
    assert np.std(areas) > 0.05
