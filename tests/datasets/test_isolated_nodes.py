"""Keypoints without an edge are keypoints like any other (birds have three of them)."""

from __future__ import annotations

import pytest
import torch
from episode_data import open_tree
from tiny_cape import build_cape, fill_zero_weights

from cape_mm.datasets import collate_episodes
from cape_mm.structures import Episode

EDGES = [[0, 1], [1, 4]]
ISOLATED = [2, 3]


@pytest.fixture
def item(coco_tree):
    """An episode of a category whose keypoints 2 and 3 have no edge."""
    ids = coco_tree.fill(1, num_images=4, num_keypoints=5, skeleton=EDGES)
    dataset = open_tree(coco_tree)
    return dataset[Episode(1, (ids[0],), tuple(ids[1:]))]


def test_an_isolated_keypoint_is_found_and_follows_its_support(item):
    """It is predicted, finite, scored, and moves with its own support point."""
    model = build_cape(dtype=torch.float32).eval()
    fill_zero_weights(model)

    def predict():
        with torch.no_grad():
            (sample,) = model.test_step(collate_episodes([item]))
        return sample.pred_instances

    before = predict()
    assert torch.isfinite(before.keypoints).all()
    assert (before.keypoint_scores[:, ISOLATED] > 0).all()
    support = item['data_samples'].support_instances
    moved = support.keypoints.clone()
    moved[:, ISOLATED[0]] = torch.tensor([3.0, 28.0])
    support.keypoints = moved
    after = predict()
    place = ISOLATED[0]
    assert not torch.equal(before.keypoints[:, place], after.keypoints[:, place])
