"""Debugging options of the sampler: one instance, or one category, over and over."""

from __future__ import annotations

import pytest
from episode_data import open_tree

from cape_mm.datasets import EpisodeSampler, FixedEpisodeSampler

DRAWS = {
    'train': (EpisodeSampler, dict(episodes_per_epoch=6, seed=0)),
    'eval': (FixedEpisodeSampler, dict(episodes_per_category=2)),
}


def draw(mode, dataset, **options):
    sampler_type, length = DRAWS[mode]
    return sampler_type(dataset, **length, **options)


def fill(tree, num_images: int = 4) -> dict[int, list[int]]:
    """Annotation ids of three categories."""
    return {i: tree.fill(i, num_images) for i in (1, 2, 3)}


@pytest.mark.parametrize('mode', DRAWS)
@pytest.mark.parametrize('distinct', [True, False])
def test_every_query_is_its_support(coco_tree, mode, distinct):
    ids = fill(coco_tree)
    dataset = open_tree(coco_tree, train=mode == 'train')
    options = dict(num_shots=2, num_queries=3, distinct_images=distinct)
    sampler = draw(mode, dataset, same_instance=True, **options)
    episodes = list(sampler)
    assert len(episodes) == 6
    assert len({episode.category_id for episode in episodes}) > 1
    for place, episode in enumerate(episodes):
        first = ids[episode.category_id][0]
        assert episode.support_ids == (first,) * 2
        assert episode.query_ids == (first,) * 3
        assert episode.index == place


@pytest.mark.parametrize('mode', DRAWS)
def test_the_first_categories_alone(coco_tree, mode):
    fill(coco_tree)
    dataset = open_tree(coco_tree, train=mode == 'train')
    sampler = draw(mode, dataset, max_categories=1)
    assert {episode.category_id for episode in sampler} == {1}
    episode = next(iter(sampler))
    assert episode.support_ids != episode.query_ids
