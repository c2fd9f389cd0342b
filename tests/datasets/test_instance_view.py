"""Instances one by one, and episodes put together from them."""

from __future__ import annotations

import numpy as np
import torch
from episode_data import open_tree
from mmengine.structures import InstanceData

from cape_mm.datasets import collate_episodes
from cape_mm.datasets.instance_view import InstanceView, KnownInstances
from cape_mm.structures import Episode


def fill(coco_tree):
    """Five instances of a category; the image of the last one is missing."""
    ids = coco_tree.fill(3, 5)
    coco_tree.image_path(coco_tree.image_of(ids[-1])).unlink()
    return ids


def assert_same_sample(actual, expected):
    for key, value in expected.metainfo.items():
        np.testing.assert_equal(actual.metainfo[key], value)
    for name in ('support_instances', 'gt_instances'):
        own, other = getattr(expected, name), getattr(actual, name)
        assert isinstance(own, InstanceData)
        assert set(other.keys()) == set(own.keys())
        for key, value in own.items():
            assert torch.equal(other[key], value), key
            assert other[key].dtype == value.dtype


def test_an_instance_is_its_own_support_and_query(coco_tree):
    ids = fill(coco_tree)
    view = InstanceView(open_tree(coco_tree))
    item = view[ids[1]]
    sample = item['data_samples']
    assert sample.support_instances.ann_ids.tolist() == [ids[1]]
    assert sample.gt_instances.ann_ids.tolist() == [ids[1]]
    assert item['inputs']['support'].shape == (1, 3, 32, 32)
    assert len(item['inputs']['query']) == 0  # the image travels once
    missing = view[ids[-1]]['data_samples']
    assert missing.dropped_pairs[0]['reason'] == 'image not found'
    batch = collate_episodes([item, view[ids[-1]]])
    assert batch['inputs']['support'].counts == (1, 0)


def test_episodes_from_memory_equal_those_from_disk(coco_tree):
    ids = fill(coco_tree)
    dataset = open_tree(coco_tree)
    view, known = InstanceView(dataset), KnownInstances()
    for ann_id in ids:
        assert known.add(view[ann_id]['data_samples']) == ann_id
    episodes = [
        Episode(3, (ids[0],), tuple(ids[1:3]), index=4),
        Episode(3, (ids[1], ids[2]), (ids[0], ids[4]), index=5),
        Episode(3, (ids[0], ids[4]), (ids[1], ids[2]), index=6),
        Episode(3, (ids[0],), (ids[4],), index=7),
    ]
    expected = [dataset[episode]['data_samples'] for episode in episodes]
    assert [len(sample.dropped_pairs) for sample in expected] == [0, 1, 2, 1]
    for actual, wanted in zip(known.serve(dataset, episodes), expected):
        assert_same_sample(actual, wanted)
