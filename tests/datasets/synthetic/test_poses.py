"""Poses: spread of the camera, and where an instance is put."""

import numpy as np

from cape_mm.datasets.synthetic import poses
from cape_mm.datasets.synthetic.categories import make_category
from cape_mm.datasets.synthetic.poses import Region, is_inside, sample_pose

REGION = Region(100, 0, 128, 160)


def sample(category, count, first_seed=0):
    seeds = range(first_seed, first_seed + count)
    return [sample_pose(category, REGION, np.random.default_rng(s)) for s in seeds]


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
