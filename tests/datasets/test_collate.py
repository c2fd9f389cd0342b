"""Batches: few pieces, padded in the worker, that still read like lists."""

import pytest
import torch
from episode_data import load_batches, open_tree
from mmengine.dataset import pseudo_collate
from tiny_cape import make_episode

from cape_mm.datasets import EpisodeSampler, collate_episodes
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
    assert list(batch['data_samples']) == expected['data_samples']


def test_any_number_of_shots_reaches_the_model(coco_tree):
    coco_tree.fill(1, num_images=9, num_keypoints=3)
    coco_tree.fill(2, num_images=9, num_keypoints=5)
    dataset = open_tree(coco_tree, train=True)
    sampler = EpisodeSampler(
        dataset, num_shots=(1, 5), num_queries=2, episodes_per_epoch=24, seed=1
    )
    prepare = EpisodeDataPreprocessor()
    seen = set()
    for batch in load_batches(dataset, sampler, 0, collate_episodes):
        samples = batch['data_samples']
        together = prepare(batch)['inputs']
        assert together.query_images.shape[0] == 8
        for row, sample in enumerate(samples):
            shots, k = sample.support_instances.is_visible.shape
            seen.add(shots)
            images = {n: batch['inputs'][n][row] for n in ('support', 'query')}
            item = dict(inputs=images, data_samples=sample)
            alone = prepare(collate_episodes([item]))['inputs']
            for name in ('support_images', 'support_keypoints', 'support_visible'):
                mine, theirs = getattr(together, name)[row], getattr(alone, name)[0]
                if name != 'support_images':
                    assert not mine[:shots, k:].any()
                    mine = mine[:, :k]
                assert torch.equal(mine[:shots], theirs), name
                assert not mine[shots:].any(), name
            assert torch.equal(together.is_known[row, :k], alone.is_known[0])
    assert seen == {1, 2, 3, 4, 5}


def test_nothing_could_be_loaded():
    batch = collate_episodes([make_episode(num_queries=0)])
    assert len(batch['inputs']['query'][0]) == 0
    assert batch['inputs']['graph'] is None
