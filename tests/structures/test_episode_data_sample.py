"""The record survives what happens to it on the way to the metric."""

import copy
import pickle

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from cape_mm.structures import EpisodeDataSample

PARTS = ('gt_instances', 'support_instances', 'pred_instances')


def make_sample(num_queries=2):
    sample = EpisodeDataSample(metainfo=dict(category_id=7, query_slots=[0, 2]))
    for number, name in enumerate(PARTS):
        part = InstanceData(metainfo=dict(origin=name))
        part.keypoints = torch.full((num_queries, 5, 2), number + 0.5)
        part.is_visible = torch.ones(num_queries, 5, dtype=torch.bool)
        part.img_ids = torch.full((num_queries,), 2**53 + 1)
        setattr(sample, name, part)
    return sample


def assert_equal(first, second):
    assert type(first) is type(second)
    assert first.metainfo == second.metainfo
    assert set(first.keys()) == set(second.keys())
    assert first.to_dict().keys() == second.to_dict().keys()
    for name, part in first.items():
        other = getattr(second, name)
        assert type(other) is InstanceData
        assert part.metainfo == other.metainfo
        assert set(part.keys()) == set(other.keys())
        for key, value in part.items():
            assert type(other[key]) is type(value)
            np.testing.assert_array_equal(other[key], value)
            assert other[key].dtype == value.dtype


def pickled(sample):
    return pickle.loads(pickle.dumps(sample))


@pytest.mark.parametrize('copied', [pickled, copy.deepcopy, EpisodeDataSample.clone])
@pytest.mark.parametrize('num_queries', [2, 0])
def test_copies_are_equal_however_often(copied, num_queries):
    sample = make_sample(num_queries)
    assert_equal(copied(sample), sample)
    assert_equal(copied(copied(sample)), sample)


def test_sample_without_predictions():
    sample = make_sample()
    del sample.pred_instances
    other = pickled(sample)
    assert_equal(other, sample)
    assert not hasattr(other, '_pred_instances')
    other.pred_instances = sample.gt_instances
    assert other.to_dict()['pred_instances']['keypoints'].shape == (2, 5, 2)
