"""A stored draw: its text, and its fingerprint of ids and their order, nothing else."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from cape_mm.datasets.frozen_episodes import (
    FrozenEpisodes,
    describe_protocol,
    episodes_sha256,
)
from cape_mm.structures import Episode

FIRST = Episode(4, (10, 11), (20, 21), seed=0, index=0)
SECOND = Episode(2, (30, 31), (40,), seed=1, index=1)


def test_hash_of_the_documented_text():
    text = '[[4,[10,11],[20,21]],[2,[30,31],[40]]]'
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert episodes_sha256([FIRST, SECOND]) == expected
    assert episodes_sha256([]) == hashlib.sha256(b'[]').hexdigest()


@pytest.mark.parametrize(
    'episodes',
    [
        [SECOND, FIRST],
        [FIRST],
        [replace(FIRST, category_id=5), SECOND],
        [replace(FIRST, support_ids=(11, 10)), SECOND],
        [replace(FIRST, query_ids=(21, 20)), SECOND],
        [replace(FIRST, support_ids=(10,), query_ids=(11, 20, 21)), SECOND],
        [replace(FIRST, query_ids=(20, 22)), SECOND],
    ],
)
def test_every_id_and_its_place_count(episodes):
    assert episodes_sha256(episodes) != episodes_sha256([FIRST, SECOND])


def test_seed_index_and_integer_type_do_not_count():
    ids = np.array([10, 11, 20, 21])
    same = Episode(np.int64(4), tuple(ids[:2]), tuple(ids[2:]), seed=9, index=7)
    assert episodes_sha256([same, SECOND]) == episodes_sha256([FIRST, SECOND])


FROZEN = FrozenEpisodes('own draw: "ä"', 2, 'ab' * 32, (FIRST, SECOND))


def test_text_is_the_documented_json():
    content = json.loads(FROZEN.to_text())
    assert list(content) == [
        *('protocol', 'num_shots', 'ann_file_sha256', 'episodes_sha256', 'episodes')
    ]
    assert content['protocol'] == 'own draw: "ä"'
    assert content['num_shots'] == 2
    assert content['ann_file_sha256'] == 'ab' * 32
    assert content['episodes_sha256'] == episodes_sha256([FIRST, SECOND])
    assert content['episodes'] == [
        dict(category_id=4, support=[10, 11], queries=[20, 21]),
        dict(category_id=2, support=[30, 31], queries=[40]),
    ]
    assert len(FROZEN.to_text().splitlines()) == 10  # one episode per line


def test_settings_of_a_draw():
    assert FROZEN.settings() == dict(
        num_shots=2, num_queries=2, episodes_per_category=1
    )
    uneven = replace(FROZEN, episodes=(FIRST, FIRST, SECOND))
    assert uneven.settings()['episodes_per_category'] is None


@pytest.mark.parametrize(
    'change, start',
    [
        ({}, 'official MP-100 draw: random.seed(1), 200 episodes x 15 queries per'),
        (dict(episodes_per_category=100), 'official MP-100 draw: random.seed(1), 100'),
        (dict(episodes_per_category=20), 'own draw: random.seed(1), 20 episodes x 15'),
        (dict(num_queries=3), 'own draw: random.seed(1), 200 episodes x 3 queries'),
        (dict(draw_seed=2), 'own draw: random.seed(2), '),
        (dict(distinct_images=True), 'own draw: '),
    ],
)
def test_only_the_official_draw_is_called_so(change, start):
    official = dict(
        draw_seed=1, episodes_per_category=200, num_queries=15, distinct_images=False
    )
    text = describe_protocol(**{**official, **change})
    assert text.startswith(start)
    assert ('on other images' in text) == ('distinct_images' in change)
