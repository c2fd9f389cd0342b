"""Episodes: deterministic, shared out among ranks, never impossible."""

import random
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from episode_data import global_rng_states, seed_global_rngs
from mmengine.runner import Runner

from cape_mm.datasets import EpisodeSampler, FixedEpisodeSampler, episode_samplers
from cape_mm.errors import ConfigError, ImpossibleEpisodeError


def make_dataset(images_of, per_image=2, without_image=()):
    """Stand-in for a data set: category id -> number of images."""
    pools, ann_id = {}, 0
    for category_id, num_images in images_of.items():
        pools[category_id] = []
        for image in range(num_images):
            for _ in range(per_image):
                pools[category_id].append((ann_id, 1000 * category_id + image))
                ann_id += 1
    categories = {key: SimpleNamespace(name=f'cat{key}') for key in images_of}
    return SimpleNamespace(
        instances_by_category=pools,
        num_without_image=Counter(without_image),
        categories=categories,
        ann_file='data/train.json',
    )


DATASET = make_dataset({4: 6, 2: 6, 9: 8})
IMAGE_OF = {a: i for pool in DATASET.instances_by_category.values() for a, i in pool}


def train(dataset=DATASET, length=50, seed=5, epoch=0, **kwargs):
    sampler = EpisodeSampler(dataset, episodes_per_epoch=length, seed=seed, **kwargs)
    sampler.set_epoch(epoch)
    return sampler


def evaluation(dataset=DATASET, count=10, **kwargs):
    return FixedEpisodeSampler(dataset, episodes_per_category=count, **kwargs)


@pytest.fixture
def be_rank(monkeypatch):
    def set_rank(rank, world_size):
        info = (rank, world_size)
        monkeypatch.setattr(episode_samplers, 'get_dist_info', lambda: info)

    return set_rank


def test_training_epoch_depends_on_seed_and_epoch_alone():
    first = list(train())
    assert list(train()) == first
    assert len(first) == len(train()) == 50
    assert list(train(seed=6)) != first
    sampler = train()
    sampler.set_epoch(1)
    second = list(sampler)
    assert not set(second) & set(first)
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(sampler) == first  # iterating leaves no state behind


@pytest.mark.parametrize('make, kwargs', [(train, dict(epoch=2)), (evaluation, {})])
@pytest.mark.parametrize('world_size', [2, 3, 5])
def test_ranks_share_the_single_process_epoch(be_rank, make, kwargs, world_size):
    expected = list(make(**kwargs))  # 50 training, 30 evaluation episodes
    shares = []
    for rank in range(world_size):
        be_rank(rank, world_size)
        sampler = make(**kwargs)
        shares.append(list(sampler))
        assert len(sampler) == len(shares[-1])
    together = [episode for share in shares for episode in share]
    assert len(set(together)) == len(together)
    assert set(expected) <= set(together)
    surplus = -len(expected) % world_size if make is train else 0
    assert len(together) == len(expected) + surplus
    if make is train:
        assert len({len(share) for share in shares}) == 1  # or a rank waits for ever


@pytest.mark.parametrize('make', [train, evaluation])
def test_shared_images_are_possible_on_demand(make):
    dataset = make_dataset({1: 2}, per_image=3)
    with pytest.raises(ImpossibleEpisodeError, match='6 usable instances on 2 images'):
        make(dataset, num_queries=5)
    for episode in make(dataset, num_queries=5, distinct_images=False):
        assert sorted(episode.support_ids + episode.query_ids) == list(range(6))


def test_categories_are_drawn_equally_whatever_their_size():
    dataset = make_dataset({1: 4, 2: 40, 3: 4, 4: 4})
    counts = Counter(episode.category_id for episode in train(dataset, length=2000))
    assert set(counts) == {1, 2, 3, 4}
    assert all(abs(n - 500) < 5 * np.sqrt(2000 * 0.25 * 0.75) for n in counts.values())


def test_impossible_episode_is_refused_with_counts():
    dataset = make_dataset({1: 9, 5: 3, 6: 2})
    message = (
        r"train\.json: category 5 \('cat5'\) has 6 usable instances on 3 images; "
        r"category 6 \('cat6'\) has 4 usable instances on 2 images, .* "
        r'num_shots \+ num_queries = 2 \+ 3, .* skip_small_categories'
    )
    with pytest.raises(ImpossibleEpisodeError, match=message):
        train(dataset, num_shots=2, num_queries=3)
    with pytest.raises(ImpossibleEpisodeError, match='has 4 usable instances'):
        evaluation(make_dataset({6: 2}), num_queries=9, distinct_images=False)


def test_far_too_many_shots_name_a_few_categories():
    dataset = make_dataset({key: 4 + key for key in range(66)})
    with pytest.raises(ImpossibleEpisodeError) as caught:
        train(dataset, num_shots=1000, num_queries=2)
    message = str(caught.value)
    assert message.count('usable instances on') == 5
    assert '; and 61 more categories, but an episode needs' in message
    assert len(train(dataset, num_shots=3, num_queries=2)) == 50
    with pytest.raises(ImpossibleEpisodeError):
        train(dataset, num_shots=4, num_queries=2)


@pytest.mark.parametrize('make', [train, evaluation])
def test_small_categories_are_left_out_with_a_warning(make, log_records):
    dataset = make_dataset({1: 9, 5: 3, 6: 9})
    sampler = make(dataset, num_queries=5, skip_small_categories=True)
    assert {episode.category_id for episode in sampler} == {1, 6}
    (record,) = log_records
    assert record.levelname == 'WARNING'
    message = record.getMessage()
    assert "category 5 ('cat5') has 6 usable instances on 3 images" in message
    assert 'needs num_shots + num_queries = 1 + 5' in message
    assert message.endswith('left out')


def test_unused_categories_are_ignored(log_records):
    dataset = make_dataset({1: 0, 2: 5, 3: 0})
    assert {episode.category_id for episode in train(dataset)} == {2}
    assert len(evaluation(dataset, count=7)) == 7
    assert not log_records
    with pytest.raises(ImpossibleEpisodeError, match='has no usable instance'):
        train(make_dataset({1: 0}))


def test_category_without_image_files_is_a_problem(log_records):
    dataset = make_dataset({1: 9, 5: 0, 7: 0}, without_image={5: 12})
    message = r"category 5 \('cat5'\) has 0 usable instances on 0 images \(the image "
    with pytest.raises(ImpossibleEpisodeError, match=f'{message}files of 12 more are'):
        train(dataset)
    with pytest.raises(ImpossibleEpisodeError, match='0 usable instances .*of 12 more'):
        train(dataset, distinct_images=False)
    sampler = train(dataset, skip_small_categories=True)
    assert {episode.category_id for episode in sampler} == {1}
    (record,) = log_records
    assert record.levelname == 'WARNING'
    assert "category 5 ('cat5') has 0 usable" in record.getMessage()
    assert 'cat7' not in record.getMessage()


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(), 'episodes_per_epoch must be .*at least 1, got None'),
        (dict(episodes_per_epoch=0), 'episodes_per_epoch must be .*at least 1, got 0'),
        (dict(episodes_per_epoch=3, num_shots=0), 'num_shots must be .*at least 1'),
        (dict(episodes_per_epoch=3, num_queries=-1), 'num_queries .* 1, got -1'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        EpisodeSampler(DATASET, **kwargs)
    fixed = {name.replace('epoch', 'category'): n for name, n in kwargs.items()}
    with pytest.raises(ConfigError, match=message.replace('epoch', 'category')):
        FixedEpisodeSampler(DATASET, **fixed)


def test_evaluation_draw_against_the_official_one():
    random.seed(1)
    expected = []
    for pool in DATASET.instances_by_category.values():
        ann_ids = [ann_id for ann_id, _ in pool]
        expected += [random.sample(ann_ids, 5) for _ in range(10)]
    sampler = evaluation(num_shots=2, num_queries=3, distinct_images=False)
    found = [list(e.support_ids + e.query_ids) for e in sampler]
    assert found == expected


@pytest.mark.parametrize('make', [train, evaluation])
def test_global_generators_are_neither_read_nor_changed(make):
    seed_global_rngs(11)
    before = global_rng_states()
    first = list(make())
    np.testing.assert_equal(global_rng_states(), before)
    seed_global_rngs(12)
    assert list(make()) == first


class IndexedPools(torch.utils.data.Dataset):
    """The stand-in as a data set that a data loader accepts."""

    instances_by_category = DATASET.instances_by_category
    num_without_image = DATASET.num_without_image
    categories = DATASET.categories
    ann_file = DATASET.ann_file

    def __getitem__(self, episode):
        return episode

    def __len__(self):
        return len(IMAGE_OF)


def test_the_runners_seed_decides_training_but_not_the_evaluation_draw():
    def episodes_of(seed, **sampler):
        config = dict(
            batch_size=1,
            num_workers=0,
            dataset=IndexedPools(),
            sampler={'type': 'mmpose.EpisodeSampler', **sampler},
        )
        return list(Runner.build_dataloader(config, seed=seed).sampler)

    training = dict(episodes_per_epoch=20)
    assert episodes_of(3, **training) == list(train(length=20, seed=3))
    assert episodes_of(4, **training) != episodes_of(3, **training)
    fixed = dict(type='mmpose.FixedEpisodeSampler', episodes_per_category=10)
    assert episodes_of(3, **fixed) == episodes_of(4, **fixed) == list(evaluation())
    assert episodes_of(3, **fixed, draw_seed=2) != list(evaluation())


def test_every_episode_draws_its_number_of_shots():
    sampler = train(num_shots=(1, 3), length=600)
    episodes = list(sampler)
    counts = Counter(len(episode.support_ids) for episode in episodes)
    assert set(counts) == {1, 2, 3}
    assert all(abs(n - 200) < 5 * np.sqrt(600 * 2 / 9) for n in counts.values())
    assert list(train(num_shots=(1, 3), length=600)) == episodes
    assert sampler.num_shots == (1, 3)  # as given: what the banner shows
    for episode in episodes:
        assert len(episode.query_ids) == 1
        images = {IMAGE_OF[i] for i in episode.support_ids}
        assert IMAGE_OF[episode.query_ids[0]] not in images


@pytest.mark.parametrize('num_shots', [(5, 1), (1,), (1, 2, 3), '5', 1.5, (1, None)])
def test_number_of_shots_that_is_none(num_shots):
    with pytest.raises(ConfigError, match='a pair .* got '):
        train(num_shots=num_shots)


@pytest.mark.parametrize('num_shots', [(1, 5), (1, 1)])
def test_evaluation_takes_one_number_of_shots(num_shots):
    with pytest.raises(ConfigError, match=r'takes one number of shots, got \(1'):
        evaluation(num_shots=num_shots)


def test_runs_share_category_and_number_of_shots():
    sampler = train(length=60, num_shots=(1, 3))
    alone = list(sampler)
    sampler.draw_in_runs(5)
    episodes = list(sampler)
    runs = [episodes[start : start + 5] for start in range(0, 60, 5)]
    kinds = [{(e.category_id, len(e.support_ids)) for e in run} for run in runs]
    assert all(len(kind) == 1 for kind in kinds)
    assert len(set.union(*kinds)) > 4
    assert len({e.support_ids + e.query_ids for e in episodes}) > 40
    sampler.draw_in_runs(1)
    assert list(sampler) == alone
