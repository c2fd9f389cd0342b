"""Keypoints without an edge are keypoints like any other (birds have three of them)."""

from __future__ import annotations

import pytest
import torch
from episode_data import open_tree
from tiny_cape import build_cape, fill_zero_weights

from cape_mm.datasets import collate_episodes
from cape_mm.datasets.annotation_file import read_annotation_file
from cape_mm.datasets.categories import read_categories
from cape_mm.structures import Episode

EDGES = [[0, 1], [1, 4]]
ISOLATED = [2, 3]


@pytest.fixture
def item(coco_tree):
    """An episode of a category whose keypoints 2 and 3 have no edge."""
    ids = coco_tree.fill(1, num_images=4, num_keypoints=5, skeleton=EDGES)
    dataset = open_tree(coco_tree)
    return dataset[Episode(1, (ids[0],), tuple(ids[1:]))]


def test_order_and_number_of_keypoints_stay(item):
    sample = item['data_samples']
    assert sample.num_keypoints == 5
    assert sample.skeleton == EDGES
    for instances in (sample.gt_instances, sample.support_instances):
        assert instances.keypoints.shape[1] == 5
        assert instances.is_visible.all()


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


def test_real_files(mp100_annotations):
    """Birds: 15 keypoints, 10 edges, 12 nodes; cars and one of the faces as well."""
    found = {}
    for split in range(1, 6):
        path = mp100_annotations / f'mp100_split{split}_test.json'
        lists = read_annotation_file(path).dataset
        categories = read_categories(
            lists['categories'], lists['annotations'], str(path)
        )
        for key, category in categories.items():
            nodes = {node for edge in category.skeleton for node in edge}
            sizes = category.num_keypoints, len(category.skeleton), len(nodes)
            if sizes[0] > sizes[2]:
                found.setdefault(sizes, set()).add(key)
    assert found == {
        (15, 10, 12): {14, 16, 28, 41, 46, 53, 59, 86},
        (13, 18, 12): {32, 38, 51},
        (19, 14, 18): {18},
    }
