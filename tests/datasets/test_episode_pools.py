"""How many supports and queries a category allows, by hand and by brute force."""

from __future__ import annotations

from itertools import combinations

import pytest

from cape_mm.datasets.episode_pools import EpisodeSize, name_some


def make_pool(*per_image):
    """Instances on images with so many each."""
    places = [image for image, count in enumerate(per_image) for _ in range(count)]
    return list(enumerate(places))


def fewest_left(pool, num_shots):
    """Instances that may be queries after the worst choice of supports."""
    left = []
    for supports in combinations(pool, num_shots):
        images = {image for _, image in supports}
        left.append(sum(image not in images for _, image in pool))
    return min(left)


@pytest.mark.parametrize('pool', [make_pool(3, 1, 2), make_pool(1, 1, 1), make_pool(4)])
def test_the_worst_draw_decides(pool):
    for num_shots in range(1, len(pool) + 1):
        assert EpisodeSize(num_shots, 1).most_queries(pool) == fewest_left(
            pool, num_shots
        )
        assert EpisodeSize(num_shots, 1, False).most_queries(pool) == (
            len(pool) - num_shots
        )
    for distinct in (True, False):
        for num_queries in range(1, len(pool) + 2):
            sizes = [
                EpisodeSize(shots, num_queries, distinct)
                for shots in range(1, len(pool) + 1)
            ]
            enough = sum(size.fits(pool) for size in sizes)
            assert sizes[0].most_shots(pool) == enough


@pytest.mark.parametrize(
    ('pools', 'wanted', 'sentence'),
    [
        (
            [make_pool(1, 1, 1, 1), make_pool(1, 1, 1)],
            (1000, 1),
            'num_shots=2 with num_',
        ),
        ([make_pool(1, 1, 1, 1)], (1, 9), ' num_queries=3 with num_shots=1.'),
        (
            [make_pool(2, 2, 2)],
            (2, 3),
            'num_shots=1 with num_queries=3 or num_queries=2',
        ),
        ([make_pool(5)], (1, 1), ''),  # one image: no episode at all
        ([make_pool(1, 1, 1), []], (9, 1), ''),
    ],
)
def test_the_largest_episode_that_fits_all(pools, wanted, sentence):
    text = EpisodeSize(*wanted).suggest(pools)
    assert sentence in text
    assert bool(text) == bool(sentence)


def test_many_problems():
    assert name_some(['a', 'b']) == 'a; b'
    assert name_some(list('abcde')) == 'a; b; c; d; e'
    assert name_some(list('abcdefg')) == 'a; b; c; d; e; and 2 more categories'
