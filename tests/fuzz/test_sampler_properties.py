"""Episodes: what holds for any data set and any settings."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

pytest.importorskip('hypothesis', reason='property tests need hypothesis')
from hypothesis import given
from hypothesis import strategies as st

from cape_mm.datasets import EpisodeSampler, FixedEpisodeSampler
from cape_mm.datasets.categories import Category
from cape_mm.errors import CapeError


def make_dataset(images_by_category):
    """A stand-in for the data set: ids only."""
    pools, number = {}, 0
    for category_id, images in enumerate(images_by_category, 1):
        pools[category_id] = []
        for image in images:
            number += 1
            pools[category_id].append((number, 1000 * category_id + image))
    categories = {i: Category(i, f'c{i}', '', 3, (), ()) for i in pools}
    return SimpleNamespace(
        instances_by_category=pools,
        categories=categories,
        num_without_image=Counter(),
        ann_file='x.json',
        templates={},
        template_file=None,
        test_mode=False,
    )


data_sets = st.lists(
    st.lists(st.integers(0, 6), min_size=0, max_size=9), min_size=1, max_size=4
)
settings_of_train = st.fixed_dictionaries(
    dict(
        num_shots=st.integers(1, 3),
        num_queries=st.integers(1, 3),
        episodes_per_epoch=st.integers(1, 6),
        seed=st.integers(0, 2**31 - 1),
    )
)


@given(data_sets, settings_of_train, st.integers(0, 5))
def test_training_episodes_are_sound_and_repeatable(images, options, epoch):
    dataset = make_dataset(images)
    try:
        sampler = EpisodeSampler(dataset, **options)
    except CapeError as error:
        assert 'x.json' in str(error)  # which file, so that one can act
        return
    sampler.set_epoch(epoch)
    episodes = list(sampler)
    assert episodes == list(sampler)
    assert len(episodes) == len(sampler) == options['episodes_per_epoch']
    for episode in episodes:
        check(episode, dataset, options)


settings_of_eval = st.fixed_dictionaries(
    dict(
        num_shots=st.integers(1, 3),
        num_queries=st.integers(1, 3),
        episodes_per_category=st.integers(1, 4),
        distinct_images=st.booleans(),
    )
)


@given(data_sets, settings_of_eval)
def test_evaluation_episodes_are_sound_and_fixed(images, options):
    dataset = make_dataset(images)
    dataset.test_mode = True
    try:
        sampler = FixedEpisodeSampler(dataset, **options)
    except CapeError:
        return
    episodes = list(sampler)
    assert episodes == list(sampler)
    assert episodes == list(FixedEpisodeSampler(dataset, **options))
    assert len(episodes) == len(sampler)
    for episode in episodes:
        check(episode, dataset, options, options['distinct_images'])


def check(episode, dataset, options, distinct_images=True):
    """Ids of the one category, none twice, queries on images of their own."""
    image_of = dict(dataset.instances_by_category[episode.category_id])
    supports, queries = episode.support_ids, episode.query_ids
    assert len(supports) == options['num_shots']
    assert len(queries) == options['num_queries']
    assert {*supports, *queries} <= image_of.keys()
    assert len({*supports, *queries}) == len(supports) + len(queries)
    if distinct_images:
        shown = {image_of[i] for i in supports}
        assert not shown & {image_of[i] for i in queries}
