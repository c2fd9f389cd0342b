"""A loaded episode as panels: which picture, which marks, which words."""

from __future__ import annotations

import numpy as np
import pytest
from episode_data import CocoTree, open_tree, train_pipeline

from cape_mm.datasets.transforms import VirtualKeypoints
from cape_mm.structures import Episode
from cape_mm.visualization import draw_loaded_episode
from cape_mm.visualization.contact_sheet import CAPTION_HEIGHT, GAP, TITLE_HEIGHT
from cape_mm.visualization.episode_browser import instance_panels

EPISODE = Episode(1, (100,), (101, 102), seed=5, index=7)


@pytest.fixture
def tree(coco_tree) -> CocoTree:
    """Four keypoints; of 101 one is unlabelled, one has a place but is invisible."""
    coco_tree.fill(1, 3, num_keypoints=4)
    keypoints = coco_tree.content['annotations'][1]['keypoints']
    keypoints[3:6] = [0.0, 0.0, 0]
    keypoints[8] = 0
    return coco_tree


def panels_of(item: dict) -> list:
    sample = item['data_samples']
    return instance_panels(
        item['inputs']['query'], sample.gt_instances, sample, 'query'
    )


def test_panels_show_what_was_loaded(tree):
    item = open_tree(tree)[EPISODE]
    panels, truth = panels_of(item), item['data_samples'].gt_instances
    for row, panel in enumerate(panels):
        image = item['inputs']['query'][row].permute(1, 2, 0)
        np.testing.assert_array_equal(panel.image, image)
        np.testing.assert_array_equal(panel.keypoints, truth.keypoints[row])
        np.testing.assert_array_equal(panel.is_visible, truth.is_visible[row])
    assert [panel.caption for panel in panels] == [
        'query 1  2/4  id 101',
        'query 2  4/4  id 102',
    ]


def test_hollow_is_what_has_a_place_and_is_invisible(tree):
    first, second = panels_of(open_tree(tree)[EPISODE])
    assert first.is_hollow.tolist() == [False, False, True, False]
    assert not second.is_hollow.any()


def test_single_instance_has_no_number_and_a_template_no_id(tree):
    item = open_tree(tree)[EPISODE]
    sample = item['data_samples']
    support = item['inputs']['support'], sample.support_instances
    assert instance_panels(*support, sample, 'support')[0].caption == (
        'support  4/4  id 100'
    )
    sample.support_instances.ann_ids[:] = -1
    assert instance_panels(*support, sample, 'support')[0].caption == (
        'support  4/4  template'
    )


def test_virtual_keypoints_are_marked_and_not_counted(tree):
    dataset = open_tree(tree, train=True)
    dataset.pipeline.transforms = train_pipeline()
    dataset.pipeline.transforms.insert(-1, VirtualKeypoints(prob=1.0))
    item = dataset[EPISODE]
    num_virtual = item['data_samples'].num_virtual_keypoints
    for panel in panels_of(item):
        assert panel.is_virtual.tolist() == [False] * 4 + [True] * num_virtual
        assert not (panel.is_hollow & panel.is_virtual).any()
        assert f'  {panel.is_visible[:4].sum()}/4  id' in panel.caption
    assert any(panel.is_visible[4:].any() for panel in panels_of(item))
    assert draw_loaded_episode(
        item['inputs']['support'], item['inputs']['query'], item['data_samples']
    ).any()


def test_row_holds_supports_then_queries(tree):
    item = open_tree(tree)[EPISODE]
    row = draw_loaded_episode(
        item['inputs']['support'],
        item['inputs']['query'],
        item['data_samples'],
        panel_size=64,
    )
    assert row.shape == (
        TITLE_HEIGHT + 64 + CAPTION_HEIGHT,
        3 * (64 + GAP) + GAP,
        3,
    )
    corners = [row[TITLE_HEIGHT + 1, GAP + 1 + i * (64 + GAP), 0] for i in range(3)]
    levels = [
        int(item['inputs'][s][i, 0, 0, 0])
        for s, i in (
            ('support', 0),
            ('query', 0),
            ('query', 1),
        )
    ]
    assert corners == levels and len(set(levels)) == 3
