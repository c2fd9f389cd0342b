"""Putting instances together: every value stays with its query."""

import numpy as np
import pytest
import torch

from cape_mm.datasets.categories import Category
from cape_mm.datasets.episode_packing import pack_episode
from cape_mm.structures import Episode

CATEGORY = Category(9, 'lynx', 'animal', 3, ((0, 1), (1, 2)), ('a', 'b', 'c'))
EPISODE = Episode(9, (10, 11), (20, 21, 22), seed=4, index=77)


def packed(ann_id):
    points = torch.full((3, 2), float(ann_id))
    return dict(
        image=torch.full((3, 8, 8), ann_id, dtype=torch.uint8),
        keypoints=points,
        keypoints_orig=points + 100,
        is_visible=torch.tensor([True, False, ann_id % 2 == 0]),
        is_visible_orig=torch.tensor([True, True, ann_id % 2 == 0]),
        bbox=torch.tensor([0.0, 0.0, ann_id, 1.0]),
        ann_id=ann_id,
        img_id=2**53 + ann_id,
        img_path=f'{ann_id}.jpg',
        crop_to_image=np.full((2, 3), float(ann_id)),
        input_size=(8, 8),
    )


def pack(support_ids, query_ids, dropped=()):
    supports = [packed(i) for i in support_ids]
    queries = [packed(i) for i in query_ids]
    return pack_episode(EPISODE, CATEGORY, supports, queries, list(dropped))


def test_everything_stays_with_its_instance():
    item = pack([10, 11], [20, 21, 22])
    inputs, sample = item['inputs'], item['data_samples']
    assert inputs['support'][:, 0, 0, 0].tolist() == [10, 11]
    assert inputs['query'][:, 0, 0, 0].tolist() == [20, 21, 22]
    gt = sample.gt_instances
    assert gt.ann_ids.tolist() == [20, 21, 22]
    assert gt.img_ids.tolist() == [2**53 + i for i in (20, 21, 22)]
    assert gt.keypoints[:, 0, 0].tolist() == [20, 21, 22]
    assert gt.keypoints_orig[:, 2, 1].tolist() == [120, 121, 122]
    assert gt.bboxes[:, 2].tolist() == [20, 21, 22]
    assert gt.is_visible.tolist() == [
        [True, False, True],
        [True, False, False],
        [True, False, True],
    ]
    assert gt.is_visible_orig[:, 1].all()
    assert sample.support_instances.ann_ids.tolist() == [10, 11]
    assert sample.crop_to_image[:, 1, 2].tolist() == [20, 21, 22]
    assert sample.query_img_paths == ['20.jpg', '21.jpg', '22.jpg']
    assert sample.support_img_paths == ['10.jpg', '11.jpg']


def test_dropped_query_leaves_its_slot():
    dropped = [dict(slot=1, ann_id=21, reason='query: image not found')]
    sample = pack([10, 11], [20, 22], dropped)['data_samples']
    assert sample.query_slots == [0, 2]
    assert sample.dropped_pairs == dropped
    assert sample.gt_instances.ann_ids.tolist() == [20, 22]


@pytest.mark.parametrize('part', ['gt_instances', 'support_instances'])
def test_episode_without_queries_is_empty_but_complete(part):
    dropped = [dict(slot=i, ann_id=20 + i, reason='support: x') for i in range(3)]
    item = pack([], [], dropped)
    sample, full = item['data_samples'], pack([10, 11], [20])['data_samples']
    assert sample.query_slots == []
    assert sample.crop_to_image.shape == (0, 2, 3)
    assert item['inputs']['query'].shape[:2] == item['inputs']['support'].shape[:2]
    assert len(item['inputs']['query']) == 0
    empty, reference = getattr(sample, part), getattr(full, part)
    assert set(empty.keys()) == set(reference.keys())
    for key, value in reference.items():
        assert empty[key].shape == (0, *value.shape[1:])
        assert empty[key].dtype == value.dtype
