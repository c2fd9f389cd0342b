"""Poses: spread of the camera, and where an instance is put."""

import numpy as np
import pytest

from cape_mm.datasets.synthetic import poses
from cape_mm.datasets.synthetic.categories import make_category
from cape_mm.datasets.synthetic.poses import Region, is_inside, sample_pose

REGION = Region(100, 0, 128, 160)


def sample(category, count, first_seed=0):
    seeds = range(first_seed, first_seed + count)
    return [sample_pose(category, REGION, np.random.default_rng(s)) for s in seeds]


def test_is_inside_by_hand():
    points = np.array([[0, 0], [9, 4], [9.01, 4], [-0.01, 0], [5, 4.5]])
    assert is_inside(points, 10, 5).tolist() == [True, True, False, False, False]


def test_untruncated_poses_lie_in_their_region(monkeypatch):
    monkeypatch.setattr(poses, 'TRUNCATED_RATE', 0.0)
    corner = np.array([REGION.x, REGION.y])
    for category_id in range(1, 10):
        for pose in sample(make_category(category_id, seed=0), 20):
            points = pose.keypoints - corner
            assert is_inside(points, REGION.width, REGION.height).all()


def test_truncated_poses_keep_most_keypoints(monkeypatch):
    monkeypatch.setattr(poses, 'TRUNCATED_RATE', 1.0)
    corner = np.array([REGION.x, REGION.y])
    sampled = sample(make_category(1, seed=0), 60)
    shares = np.array(
        [is_inside(p.keypoints - corner, 128, 160).mean() for p in sampled]
    )
    assert shares.min() >= 0.6
    assert (shares < 1).mean() > 0.2


def test_rotation_is_wide_and_size_in_range():
    category = make_category(9, seed=0)
    sampled = sample(category, 150)
    bones = np.array([p.keypoints[1] - p.keypoints[0] for p in sampled])
    headings = np.unwrap(np.arctan2(bones[:, 1], bones[:, 0]))
    spread = np.abs(np.exp(1j * headings).mean())
    assert spread < 0.85  # 1 would be one heading for all, 0.74 is uniform in +-75 deg
    extents = [np.ptp(p.keypoints, axis=0).max() / 128 for p in sampled]
    assert min(extents) == pytest.approx(0.6, abs=0.02)
    assert max(extents) == pytest.approx(0.92, abs=0.02)
