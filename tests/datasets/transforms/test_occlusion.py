"""Occluding patches: where, how large, and what becomes of covered keypoints."""

import numpy as np
import pytest
from episode_data import eval_pipeline

from cape_mm.datasets.transforms import RandomOcclusion
from cape_mm.datasets.transforms.occlusion import is_in_box

SIDE = 64
GRID = np.stack(np.meshgrid([8, 24, 40, 56], [8, 24, 40, 56]), axis=-1).reshape(-1, 2)
KEYPOINTS = GRID.astype(np.float32)


def instance(seed=0, img=None, **overrides):
    results = dict(
        img=np.full((SIDE, SIDE, 3), 128, np.uint8) if img is None else img,
        keypoints=KEYPOINTS.copy(),
        is_visible=np.ones(len(KEYPOINTS), bool),
        rng=np.random.default_rng(seed),
    )
    return {**results, **overrides}


def covered_area(seed, **kwargs):
    """Share of the picture that one patch of noise changed, with its box."""
    settings = dict(num_patches=(1, 1), fills=['noise'], prob=1) | kwargs
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


def test_covered_keypoints_stay_visible_by_default():
    settings = dict(num_patches=(3, 3), area=(0.2, 0.3), prob=1)
    results = RandomOcclusion(**settings)(instance())
    assert results['is_visible'].all()
    assert 'is_covered' not in results


def test_hidden_are_those_under_a_patch_and_no_others():
    hide = RandomOcclusion(
        num_patches=(2, 2), area=(0.1, 0.2), fills=['noise'], hide_covered=True, prob=1
    )
    num_covered = 0
    for seed in range(30):
        results = hide(instance(seed))
        pixels = results['img'][GRID[:, 1], GRID[:, 0]]
        np.testing.assert_array_equal(results['is_covered'], (pixels != 128).any(1))
        assert results['is_visible'].all()  # packing decides, the label stays
        num_covered += results['is_covered'].sum()
    assert num_covered > 30


def test_some_visible_keypoint_is_left_uncovered():
    """All visible keypoints close together; the others do not count."""
    close = np.full((3, 2), 32.0, np.float32) + [[0, 0], [2, 0], [0, 2]]
    keypoints = np.concatenate([close, [[5, 5], [-9, 32]]]).astype(np.float32)
    is_visible = np.array([True, True, True, False, True])  # the last is outside
    transform = RandomOcclusion(
        num_patches=(5, 5), area=(0.05, 0.3), hide_covered=True, prob=1
    )
    for seed in range(60):
        given = instance(seed, keypoints=keypoints, is_visible=is_visible)
        assert not transform(given)['is_covered'][:3].all()


def test_copied_patch_shows_the_same_picture():
    levels = np.random.default_rng(0).integers(0, 256, SIDE * SIDE * 3)
    img = levels.reshape(SIDE, SIDE, 3).astype(np.uint8)
    results = RandomOcclusion(num_patches=(1, 1), fills=['copy'], prob=1)(
        instance(2, img)
    )
    rows, columns = np.nonzero((results['img'] != img).any(axis=-1))
    top, left = rows.min(), columns.min()
    patch = results['img'][top : rows.max() + 1, left : columns.max() + 1]
    height, width = patch.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(img, (height, width), (0, 1))
    assert (windows == patch.transpose(2, 0, 1)).all(axis=(2, 3, 4)).sum() == 1


def test_packing_masks_what_is_covered_and_keeps_the_label():
    pack = eval_pipeline()[-1]
    results = instance(
        keypoints_orig=KEYPOINTS,
        is_covered=np.arange(len(KEYPOINTS)) == 5,
        bbox=np.array([0, 0, 9, 9]),
        crop_to_image=np.eye(2, 3),
        input_size=(SIDE, SIDE),
        **dict(ann_id=1, img_id=1, img_path='x.jpg'),
    )
    packed = pack(results)
    assert packed['is_visible'].tolist() == [k != 5 for k in range(16)]
    assert packed['is_visible_orig'].all()


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
        dict(fills=['black']),
        dict(fills=[]),
    ],
)
def test_bad_settings(bad):
    with pytest.raises(ValueError, match=f'{next(iter(bad))} must be'):
        RandomOcclusion(**bad)
