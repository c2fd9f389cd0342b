"""Fixed disturbances: of queries alone, the same in every episode, labels with them."""

from __future__ import annotations

import cv2
import numpy as np
from episode_data import INPUT_SIZE, eval_pipeline

from cape_mm.datasets.transforms import (
    PerturbQuery,
)
from cape_mm.structures.geometry import apply_affine


def make_results(ann_id: int, rng: np.random.Generator, is_query=True) -> dict:
    """The dictionary of an instance, as it is before ``WarpInstance``."""
    img = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    return dict(
        ann_id=ann_id,
        twin_of=ann_id if is_query else None,
        img=cv2.GaussianBlur(img, (0, 0), 3),
        img_path='x.jpg',
        img_id=1,
        bbox=np.array([8.0, 8.0, 20.0, 20.0]),
        keypoints_orig=np.array([[18, 18], [26, 18], [18, 24]], np.float32),
        is_visible=np.ones(3, bool),
        visibility=np.full(3, 2, np.uint8),
        rng=rng,
        episode_seed=5,
    )


def run(steps: list, ann_id: int, is_query: bool = True) -> dict:
    """Crop, perturb and warp an instance."""
    crop, warp = eval_pipeline()[1:3]
    results = crop(make_results(ann_id, np.random.default_rng(0), is_query))
    before = [step for step in steps if isinstance(step, PerturbQuery)]
    for step in before:
        results = step(results)
    return warp(results)


def perturb(*transforms: dict, seed: int = 0) -> PerturbQuery:
    return PerturbQuery(transforms, seed)


def test_supports_stay_as_they_are():
    step = perturb(dict(type='FixedInstanceAffine', rotation=90.0))
    plain, support = run([], 7), run([step], 7, is_query=False)
    query = run([step], 7)
    assert np.array_equal(plain['img'], support['img'])
    assert np.array_equal(plain['keypoints'], support['keypoints'])
    assert not np.array_equal(plain['keypoints'], query['keypoints'])


def test_chance_is_the_instances_own_and_not_the_episodes():
    occlude = perturb(dict(type='RandomOcclusion', prob=1.0))
    images = []
    for ann_id, episode_seed in ((1, 0), (1, 1), (2, 0)):
        results = make_results(ann_id, np.random.default_rng(episode_seed))
        results['keypoints'] = results['keypoints_orig'].copy()
        own = results['rng']
        state = own.bit_generator.state
        after = occlude(results)
        assert after['rng'] is own
        assert own.bit_generator.state == state
        images.append(after['img'])
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_a_quarter_turn_moves_the_truth_with_the_picture():
    """By hand: about the crop's centre, (x, y) goes to (-y, x) or (y, -x)."""
    plain = run([], 3)['keypoints']
    step = perturb(dict(type='FixedInstanceAffine', rotation=90.0))
    turned = run([step], 3)
    center = np.array(INPUT_SIZE) / 2
    x, y = (plain - center).T
    either = [np.stack([-y, x], 1), np.stack([y, -x], 1)]
    moved = turned['keypoints'] - center
    assert any(np.allclose(moved, points, atol=1e-4) for points in either)
    back = apply_affine(turned['crop_to_image'], turned['keypoints'])
    np.testing.assert_allclose(back, turned['keypoints_orig'], atol=1e-4)


def test_scale_two_doubles_distances_from_the_centre():
    step = perturb(dict(type='FixedInstanceAffine', scale=2.0))
    plain = run([], 0)['keypoints']
    larger = run([step], 0)['keypoints']
    center = np.array(INPUT_SIZE) / 2
    np.testing.assert_allclose(larger - center, 2 * (plain - center), atol=1e-4)
