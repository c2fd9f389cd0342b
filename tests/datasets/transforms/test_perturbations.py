"""Perturbations of queries: what changes, how far, and that labels follow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from episode_data import INPUT_SIZE, eval_pipeline

from cape_mm.datasets.transforms import (
    PerturbQuery,
    RandomOcclusion,
)
from cape_mm.datasets.transforms.perturbations import is_in_box
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
