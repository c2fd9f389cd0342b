"""Occluding patches: where, how large, and what becomes of covered keypoints."""

import numpy as np
import pytest

from cape_mm.datasets.transforms import RandomOcclusion
from cape_mm.datasets.transforms.perturbations import is_in_box

SIDE = 64
GRID = np.stack(np.meshgrid([8, 24, 40, 56], [8, 24, 40, 56]), axis=-1).reshape(-1, 2)
KEYPOINTS = GRID.astype(np.float32)


def instance(seed=0, **overrides):
    results = dict(
        img=np.full((SIDE, SIDE, 3), 128, np.uint8),
        keypoints=KEYPOINTS.copy(),
        is_visible=np.ones(len(KEYPOINTS), bool),
        rng=np.random.default_rng(seed),
    )
    return {**results, **overrides}


def covered_area(seed, **kwargs):
    """Share of the picture that one patch changed, and its ratio of sides."""
    settings = dict(num_patches=(1, 1), prob=1) | kwargs
    img = RandomOcclusion(**settings)(instance(seed))['img']
    rows, columns = np.nonzero((img != 128).any(axis=-1))
    width = np.ptp(columns) + 1
    height = np.ptp(rows) + 1
    return width * height / SIDE**2, width / height


def test_area_and_aspect_stay_within_their_limits_and_reach_them():
    drawn = [covered_area(s, area=(0.02, 0.2), aspect=(0.5, 2)) for s in range(200)]
    areas, aspects = map(np.array, zip(*drawn))
    assert 0.015 < areas.min() < 0.03 and 0.18 < areas.max() < 0.22
    assert 0.4 < aspects.min() < 0.6 and 1.7 < aspects.max() < 2.5


def test_some_visible_keypoint_is_left_uncovered():
    """All visible keypoints close together; the others do not count."""
    close = np.full((3, 2), 32.0, np.float32) + [[0, 0], [2, 0], [0, 2]]
    keypoints = np.concatenate([close, [[5, 5], [-9, 32]]]).astype(np.float32)
    is_visible = np.array([True, True, True, False, True])  # the last is outside
    transform = RandomOcclusion(num_patches=(5, 5), area=(0.05, 0.3), prob=1)
    covered = []
    for seed in range(60):
        given = instance(seed, keypoints=keypoints, is_visible=is_visible)
        results = transform(given)
        pixels = results['img'][[32, 32, 34], [32, 34, 32]]
        covered.append((pixels != 128).any(axis=1))
        assert not covered[-1].all()
        assert results['is_visible'] is is_visible  # the label stays
    assert np.any(covered)


def test_a_pixel_belongs_to_the_patch_that_covers_its_centre():
    points = np.array([[9.4, 5.0], [9.6, 5.0], [12.4, 5.0], [12.6, 5.0]])
    inside = is_in_box(points, np.array([10, 5]), np.array([3, 1]))
    assert inside.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    'bad',
    [
        dict(num_patches=(0, 1)),
        dict(num_patches=(3, 2)),
        dict(area=(0.0, 0.1)),
        dict(area=(0.1, 0.9)),
        dict(aspect=(2.0, 1.0)),
        dict(prob=2),
    ],
)
def test_bad_settings(bad):
    with pytest.raises(ValueError, match=f'{next(iter(bad))} must be'):
        RandomOcclusion(**bad)
