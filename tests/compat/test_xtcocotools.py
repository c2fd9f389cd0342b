"""The stand-in for xtcocotools against pycocotools, on made cases."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pycocotools import coco, cocoeval

from cape_mm.compat import xtcocotools


def make_case(seed: int, num_keypoints: int = 17, first_id: int = 1):
    """Annotations and noisy detections of 3 images, as COCO dictionaries."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    for image_id in (0, 0, 1, 1, 2):
        keypoints = np.full((num_keypoints, 3), 2.0)
        keypoints[:, :2] = rng.uniform(0, 200, (num_keypoints, 2))
        low, size = keypoints[:, :2].min(0), np.ptp(keypoints[:, :2], axis=0)
        box = [*low.tolist(), *size.tolist()]
        common = {'image_id': image_id, 'category_id': 1, 'bbox': box}
        annotation = {
            'id': first_id + len(annotations),
            'keypoints': keypoints.ravel().tolist(),
            'num_keypoints': num_keypoints,
            'area': float(size.prod() / 2),
            'iscrowd': 0,
        }
        annotations.append(common | annotation)
        for noise in (1.0, 8.0):
            moved = keypoints.copy()
            moved[:, :2] += rng.normal(0, noise, (num_keypoints, 2))
            detection = {'keypoints': moved.ravel().tolist(), 'score': rng.random()}
            detections.append(common | detection)
    images = [{'id': image_id} for image_id in range(3)]
    categories = [{'id': 1, 'name': 'animal'}]
    truth = {'images': images, 'annotations': annotations, 'categories': categories}
    return truth, detections


def evaluate(coco_class, eval_class, truth, detections, *args) -> np.ndarray:
    """The ten AP/AR numbers of COCO keypoint evaluation."""
    ground_truth = coco_class()
    ground_truth.dataset = copy.deepcopy(truth)
    ground_truth.createIndex()
    results = ground_truth.loadRes(copy.deepcopy(detections))
    evaluation = eval_class(ground_truth, results, 'keypoints', *args)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return np.asarray(evaluation.stats)


def evaluate_ours(truth, detections, *args) -> np.ndarray:
    return evaluate(xtcocotools.COCO, xtcocotools.COCOeval, truth, detections, *args)


@pytest.mark.parametrize('seed', range(5))
def test_stand_in_gives_the_ap_of_pycocotools(seed):
    truth, detections = make_case(seed)
    expected = evaluate(coco.COCO, cocoeval.COCOeval, truth, detections)
    assert 0 < expected[0] < 1
    np.testing.assert_array_equal(evaluate_ours(truth, detections), expected)


@pytest.mark.parametrize('field', ['iscrowd', 'num_keypoints'])
def test_stand_in_bears_missing_fields(field):
    truth, detections = make_case(0)
    expected = evaluate(coco.COCO, cocoeval.COCOeval, truth, detections)
    for annotation in truth['annotations']:
        del annotation[field]
    np.testing.assert_array_equal(evaluate_ours(truth, detections), expected)


def test_stand_in_counts_keypoints_itself():
    truth, detections = make_case(0)
    expected = evaluate(coco.COCO, cocoeval.COCOeval, truth, detections)
    for annotation in truth['annotations']:
        annotation['num_keypoints'] = 0
    np.testing.assert_array_equal(evaluate_ours(truth, detections), expected)


def test_stand_in_takes_annotation_id_zero():
    expected = evaluate_ours(*make_case(0, first_id=1))
    np.testing.assert_array_equal(evaluate_ours(*make_case(0, first_id=0)), expected)
    truth, detections = make_case(0, first_id=0)
    wrong = evaluate(coco.COCO, cocoeval.COCOeval, truth, detections)
    assert wrong[0] != expected[0]  # what the shim is for


def test_stand_in_drops_detections_without_keypoints():
    truth, detections = make_case(0)
    expected = evaluate_ours(truth, detections)
    empty = dict(detections[0], score=2.0)
    empty['keypoints'] = [1.0, 1.0, 0.0] * 17
    np.testing.assert_array_equal(evaluate_ours(truth, [*detections, empty]), expected)


def test_stand_in_sigmas_and_area():
    truth, detections = make_case(0, num_keypoints=5)
    loose = evaluate_ours(truth, detections, np.full(5, 0.2))
    tight = evaluate_ours(truth, detections, np.full(5, 0.01))
    assert loose[0] > tight[0]
    from_box = evaluate_ours(truth, detections, np.full(5, 0.05), False)
    for annotation in truth['annotations']:
        annotation['area'] = 0.53 * annotation['bbox'][2] * annotation['bbox'][3]
    stored = evaluate_ours(truth, detections, np.full(5, 0.05), True)
    np.testing.assert_array_equal(from_box, stored)


def test_stand_in_bears_empty_results():
    truth, _ = make_case(0)
    assert evaluate_ours(truth, [])[0] == 0.0


def test_stand_in_refuses_crowdpose():
    with pytest.raises(NotImplementedError, match='real xtcocotools'):
        xtcocotools.COCOeval(iouType='keypoints_crowd')
