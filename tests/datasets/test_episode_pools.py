"""Whether a category is enough for an episode, by brute force."""

from __future__ import annotations

from itertools import combinations

import pytest

from cape_mm.datasets.episode_pools import EpisodeSize


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
        for num_queries in range(1, len(pool) + 2):
            size = EpisodeSize(num_shots, num_queries)
            assert size.fits(pool) == (fewest_left(pool, num_shots) >= num_queries)
            size = EpisodeSize(num_shots, num_queries, distinct_images=False)
            assert size.fits(pool) == (len(pool) - num_shots >= num_queries)
    assert not EpisodeSize(1, 1).fits([])
