"""The floor by hand, and on the official episodes of MP-100."""

import json
import random

import numpy as np
import pytest
from shared_folder import SHARED

from cape_mm.evaluation import copy_support, pck
from cape_mm.structures.geometry import clean_box

ANNOTATIONS = SHARED / 'data/mp100_annotations'


def test_one_shot_by_hand():
    """Box 40 x 20 at (10, 10): centre (30, 20), square side 40."""
    keypoints = np.array([[[30.0, 20.0], [50.0, 20.0], [30.0, 0.0]]])
    result = copy_support(
        keypoints,
        np.ones((1, 3), bool),
        np.array([[10.0, 10, 40, 20]]),
        np.array([[0.0, 0, 100, 100], [100.0, 0, 20, 80]]),
    )
    np.testing.assert_allclose(result[0], [[50, 50], [100, 50], [50, 0]])
    np.testing.assert_allclose(result[1], [[110, 40], [150, 40], [110, 0]])


def test_shots_are_averaged_where_visible():
    boxes = np.array([[0.0, 0, 10, 10], [0.0, 0, 20, 20]])
    keypoints = np.array([[[0.0, 5], [0, 0]], [[20.0, 10], [20, 20]]])
    is_visible = np.array([[True, False], [True, True]])
    result = copy_support(keypoints, is_visible, boxes, boxes[:1])
    # keypoint 0: mean of the left and the right edge; keypoint 1: the second shot only
    np.testing.assert_allclose(result[0], [[5, 5], [10, 10]])


def test_support_pasted_into_its_own_box_is_itself():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 50, (1, 7, 2))
    box = np.array([[3.0, 5, 31, 17]])
    result = copy_support(keypoints, np.ones((1, 7), bool), box, box)
    np.testing.assert_allclose(result, keypoints)


def test_bad_supports_are_refused():
    keypoints, seen = np.zeros((1, 3, 2)), np.ones((1, 3), bool)
    box = np.array([[0.0, 0, 10, 10]])
    with pytest.raises(ValueError, match='no size'):
        copy_support(keypoints, seen, np.zeros((1, 4)), box)
    with pytest.raises(ValueError, match='disagree'):
        copy_support(keypoints, seen[:, :2], box, box)
    with pytest.raises(ValueError, match=r'\(S, K, 2\)'):
        copy_support(keypoints[:0], seen[:0], box[:0], box)


def official_instances(path):
    """Kept instances per category, in the order of the reference loader."""
    data = json.loads(path.read_text())
    by_image = {}
    for annotation in data['annotations']:
        by_image.setdefault(annotation['image_id'], []).append(annotation)
    pools = {category['id']: [] for category in data['categories']}
    for image in data['images']:
        for annotation in by_image.get(image['id'], ()):
            size = image['width'], image['height']
            box = clean_box(annotation['bbox'], size, annotation['area'])
            if box is None or max(annotation['keypoints']) == 0:
                continue
            points = np.reshape(annotation['keypoints'], (-1, 3))
            pool = pools[annotation['category_id']]
            pool.append((points[:, :2], points[:, 2] > 0, box))
    return pools


def floor_pck(pools, num_episodes=200, num_queries=15):
    """Official PCK@0.2 of the floor, 1 shot."""
    rng = random.Random(1)
    values = []
    for pool in pools.values():
        for _ in range(num_episodes):
            drawn = rng.sample(pool, 1 + num_queries)
            keypoints, is_visible, boxes = (np.stack(part) for part in zip(*drawn))
            pred = copy_support(keypoints[:1], is_visible[:1], boxes[:1], boxes[1:])
            mask = is_visible[1:] & is_visible[:1]
            sizes = boxes[1:, 2:].max(axis=1)
            values.append(np.nan_to_num(pck(pred, keypoints[1:], mask, sizes, 0.2)))
    return np.concatenate(values)


def test_floor_on_mp100_split1():
    path = ANNOTATIONS / 'mp100_split1_test.json'
    if not path.is_file():
        pytest.skip(f'the MP-100 annotation files are not at {ANNOTATIONS}')
    values = floor_pck(official_instances(path))
    assert len(values) == 60_000
    assert values.mean() == pytest.approx(0.481, abs=5e-4)
