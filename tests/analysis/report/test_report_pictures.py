"""Pictures after the test: the right instances, the prediction on its crop."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from episode_data import CocoTree, open_tree

from cape_mm.analysis.report import episode_pictures
from cape_mm.analysis.report.episode_choice import ChosenPair
from cape_mm.analysis.report.episode_pictures import draw_chosen
from cape_mm.evaluation.prediction_dump import NO_CONFIDENCE


def make_entry(dataset, support, query, score=0.5):
    """A perfect prediction."""
    points = dataset.get_instance(query).keypoints
    triplets = np.c_[points, np.full(len(points), score)]
    return dict(
        episode_index=4,
        slot=2,
        ann_id=query,
        support_ids=[support],
        category_id=dataset.get_instance(query).category_id,
        keypoints=triplets.reshape(-1),
    )


CHOSEN = ChosenPair('best', 1, 4, 2, 1.0, 3, 1.0)


@pytest.fixture
def shown(monkeypatch):
    """What was drawn: support, query and sample."""
    calls = []
    original = episode_pictures.draw_episode

    def draw(support, query, sample):
        calls.append((support, query, sample))
        return original(support, query, sample)

    monkeypatch.setattr(episode_pictures, 'draw_episode', draw)
    return calls


def test_prediction_lies_on_the_crop(coco_tree, shown):
    ids = coco_tree.fill(1, 3)
    dataset = open_tree(coco_tree)
    entry = make_entry(dataset, ids[2], ids[1])
    pictures = draw_chosen([CHOSEN], [entry], dataset)
    image = cv2.imdecode(np.frombuffer(pictures[4, 2], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] == 3 * 262 + 6
    ((support, query, sample),) = shown
    for picture, ann_id in ((support, ids[2]), (query, ids[1])):
        level = CocoTree.level(coco_tree.image_of(ann_id))
        assert abs(float(picture.float().median()) - level) < 3
    points = sample.pred_instances.keypoints.float()
    torch.testing.assert_close(points, sample.gt_instances.keypoints.float())
    assert sample.pred_instances.keypoint_scores.eq(0.5).all()


def test_no_confidence_is_no_confidence(coco_tree, shown):
    ids = coco_tree.fill(1, 2)
    dataset = open_tree(coco_tree)
    draw_chosen([CHOSEN], [make_entry(dataset, *ids, score=NO_CONFIDENCE)], dataset)
    assert 'keypoint_scores' not in shown[0][2].pred_instances


@pytest.mark.parametrize('which', [0, 1])
def test_an_image_that_vanished(coco_tree, which):
    ids = coco_tree.fill(1, 2)
    dataset = open_tree(coco_tree)
    coco_tree.image_path(coco_tree.image_of(ids[which])).unlink()
    (reason,) = draw_chosen([CHOSEN], [make_entry(dataset, *ids)], dataset).values()
    assert reason == ('support: ' if which == 0 else 'query: ') + 'image not found'


@pytest.mark.parametrize('which', [0, 1])
def test_another_image_is_never_shown_in_its_place(coco_tree, which):
    """A data set that redraws, for want of test_mode, has other pixels to show."""
    ids = coco_tree.fill(1, 6)
    dataset = open_tree(coco_tree, train=True)
    coco_tree.image_path(coco_tree.image_of(ids[which])).unlink()
    entry = make_entry(dataset, ids[0], ids[1])
    (reason,) = draw_chosen([CHOSEN], [entry], dataset).values()
    assert reason == 'another image was loaded in its place'


def test_many_keypoints_and_several_supports(coco_tree):
    ids = coco_tree.fill(1, 4, num_keypoints=68)
    dataset = open_tree(coco_tree)
    entry = make_entry(dataset, ids[0], ids[1])
    entry['support_ids'] = [ids[0], ids[2], ids[3]]
    (picture,) = draw_chosen([CHOSEN], [entry], dataset).values()
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] == 5 * (512 + 6) + 6  # larger where keypoints are many
