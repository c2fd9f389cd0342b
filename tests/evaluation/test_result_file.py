"""Results on disk: exact and refused when damaged, and as COCO keypoint results."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from stored_episodes import evaluate_tree, fill_tree

from cape_mm.evaluation.result_file import write_dump

BOTH = ('keypoint_scores', 'keypoints_visible')


def dump(evaluated, path):
    metric = evaluated.metric()
    metric.evaluate(1)
    return write_dump(metric.pairs, evaluated.dataset, path)


@pytest.fixture
def evaluated(coco_tree):
    return evaluate_tree(fill_tree(coco_tree), BOTH)


def test_pycocotools_reads_it(evaluated, tmp_path, capsys):
    path = dump(evaluated, tmp_path / 'deep' / 'preds.json')
    truth = COCO(str(evaluated.ann_file))
    found = truth.loadRes(str(path))
    assert len(found.anns) == 2 * 2 * 3  # one per pair
    for ann in found.anns.values():
        query = truth.anns[ann['ann_id']]
        assert query['image_id'] == ann['image_id']
        assert query['category_id'] == ann['category_id']
        assert len(ann['keypoints']) == len(query['keypoints'])
        assert 0 <= ann['score'] <= 1


def test_entries_are_the_predictions_to_the_last_bit(evaluated, tmp_path):
    """Of every keypoint that some support shows; the others are zero."""
    entries = json.loads(dump(evaluated, tmp_path / 'preds.json').read_text())
    keys = [(entry['episode_index'], entry['slot']) for entry in entries]
    assert keys == [(episode, slot) for episode in range(4) for slot in range(3)]
    for sample, entry in zip(evaluated.samples, entries[2::3]):
        predicted = sample.pred_instances
        is_known = sample.support_instances.is_visible_orig.any(dim=0).numpy()
        triplets = np.array(entry['keypoints'], np.float32).reshape(-1, 3)
        expected = np.c_[predicted.keypoints_orig[2], predicted.keypoint_scores[2]]
        np.testing.assert_array_equal(triplets, expected * is_known[:, None])
        episode = evaluated.episodes[entry['episode_index']]
        assert entry['ann_id'] == episode.query_ids[2]
        expected = predicted.keypoint_scores[2, is_known].mean()
        assert entry['score'] == pytest.approx(float(expected))


def test_without_confidences_keypoints_are_marked_visible(coco_tree, tmp_path):
    evaluated = evaluate_tree(fill_tree(coco_tree))
    entries = json.loads(dump(evaluated, tmp_path / 'preds.json').read_text())
    third = {value for entry in entries for value in entry['keypoints'][2::3]}
    assert third in ({2}, {0, 2})  # zero where no support shows the keypoint
    assert entries[0]['score'] == 1
