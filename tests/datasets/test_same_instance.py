"""Debugging options of the sampler: one instance, or one category, over and over."""

from __future__ import annotations

import pytest
from episode_data import open_tree

from cape_mm.datasets import EpisodeSampler, FixedEpisodeSampler
from cape_mm.errors import ConfigError

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


@pytest.mark.parametrize('episodes', [200, 100])
def test_the_official_evaluation_is_refused(coco_tree, episodes):
    fill(coco_tree)
    dataset = open_tree(coco_tree)
    official = dict(num_queries=15, distinct_images=False)
    with pytest.raises(
        ConfigError, match='same_instance=True shows .* official MP-100'
    ):
        FixedEpisodeSampler(
            dataset, episodes_per_category=episodes, same_instance=True, **official
        )
    own = dict(official, draw_seed=2)
    FixedEpisodeSampler(dataset, episodes_per_category=200, same_instance=True, **own)


@pytest.mark.parametrize('option', [dict(same_instance=True), dict(max_categories=1)])
def test_stored_episodes_are_not_replaced(coco_tree, tmp_path, option):
    fill(coco_tree)
    dataset = open_tree(coco_tree)
    from cape_mm.datasets.frozen_episodes import FrozenEpisodes, files_sha256

    episodes = draw('eval', dataset).episodes
    path = tmp_path / 'episodes.json'
    sha256 = files_sha256(dataset.ann_files)
    path.write_text(FrozenEpisodes('own', 1, sha256, tuple(episodes)).to_text())
    with pytest.raises(ConfigError, match='are not drawn. Leave them out'):
        FixedEpisodeSampler(dataset, episodes_file=str(path), **option)
