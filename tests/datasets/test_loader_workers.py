"""The batches depend on the seed, not on how many processes load them."""

from __future__ import annotations

import pytest
from episode_data import assert_same, load_batches, open_tree, seed_global_rngs

from cape_mm.datasets import EpisodeSampler, collate_episodes


def items_of(batches):
    for batch in batches:
        for i, sample in enumerate(batch['data_samples']):
            inputs = {key: stack[i] for key, stack in batch['inputs'].items()}
            yield dict(inputs=inputs, data_samples=sample)


@pytest.mark.parametrize('epoch', [0, 3])
def test_same_batches_for_any_number_of_workers(coco_tree, epoch):
    coco_tree.fill(1, num_images=7)
    coco_tree.fill(2, num_images=6, per_image=2, num_keypoints=3)
    coco_tree.image_path(2).write_bytes(b'no picture')  # redrawn wherever it is loaded
    dataset = open_tree(coco_tree, train=True)
    sampler = EpisodeSampler(dataset, num_shots=1, num_queries=2, episodes_per_epoch=22)
    sampler.set_epoch(epoch)
    seed_global_rngs(1)
    expected = load_batches(dataset, sampler, 0, collate_episodes)
    num_redrawn = sum(
        len(sample.redrawn) for batch in expected for sample in batch['data_samples']
    )
    assert num_redrawn > 0
    for num_workers in (1, 3):
        seed_global_rngs(num_workers + 1)
        found = load_batches(dataset, sampler, num_workers, collate_episodes)
        sizes = [len(batch['data_samples']) for batch in found]
        assert sizes == [4] * 5 + [2]
        for old, new in zip(items_of(expected), items_of(found), strict=True):
            assert_same(old, new)
            assert old['data_samples'].episode == new['data_samples'].episode
            assert old['data_samples'].redrawn == new['data_samples'].redrawn
