"""A batch travels as two tensors and still reads like a list."""

import pickle

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from tiny_cape import make_episode

from cape_mm.datasets import collate_episodes
from cape_mm.models import EpisodeDataPreprocessor


@pytest.fixture
def items():
    shapes = [(1, 2), (2, 3), (1, 0), (1, 1)]
    return [make_episode(num_shots=s, num_queries=q) for s, q in shapes]


def test_reads_like_pseudo_collate(items):
    batch, expected = collate_episodes(items), pseudo_collate(items)
    for name in ('support', 'query'):
        got = batch['inputs'][name]
        assert len(got) == len(items)
        for mine, theirs in zip(got, expected['inputs'][name]):
            assert torch.equal(mine, theirs) or len(mine) == len(theirs) == 0
    assert batch['data_samples'] == expected['data_samples']


def test_the_model_sees_the_same(items):
    prepare = EpisodeDataPreprocessor()
    mine = prepare(collate_episodes(items))['inputs']
    theirs = prepare(pseudo_collate(items))['inputs']
    for name, value in vars(theirs).items():
        same = torch.equal if isinstance(value, torch.Tensor) else int.__eq__
        assert same(getattr(mine, name), value), name


def test_survives_the_way_out_of_a_worker(items):
    batch = collate_episodes(items)
    again = pickle.loads(pickle.dumps(batch))
    assert torch.equal(again['inputs']['query'].images, batch['inputs']['query'].images)
    assert again['inputs']['support'].counts == batch['inputs']['support'].counts


def test_nothing_could_be_loaded():
    batch = collate_episodes([make_episode(num_queries=0)])
    assert len(batch['inputs']['query'][0]) == 0


def test_configs_find_it_by_name():
    assert FUNCTIONS.get('collate_episodes') is collate_episodes
