"""Whether a category is enough for an episode; how many pairs a full draw has."""

from __future__ import annotations

from itertools import combinations

import pytest
from episode_data import open_tree

from cape_mm.datasets import FixedEpisodeSampler
from cape_mm.datasets.episode_pools import PLAN_KEY, EpisodeSize, dataset_meta
from cape_mm.datasets.frozen_episodes import FrozenEpisodes, files_sha256


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


DRAW = dict(num_shots=1, num_queries=3, episodes_per_category=4)


@pytest.fixture
def tree(coco_tree):
    """One small category, two large ones, one without annotations, one of empties."""
    coco_tree.fill(5, num_images=3)
    coco_tree.fill(9, num_images=6)
    coco_tree.fill(2, num_images=6)
    coco_tree.add_category(3)
    coco_tree.add_category(4)
    image_id = coco_tree.add_image()
    coco_tree.add_annotation(image_id, 4, num_keypoints=0)
    return coco_tree


def plan_of(dataset, **kwargs):
    return FixedEpisodeSampler(dataset, **{**DRAW, **kwargs}).evaluation_plan


def row(category_id, num_pairs=12, left_out=None):
    return dict(name=f'cat{category_id}', num_pairs=num_pairs, left_out=left_out)


def test_categories_that_are_too_small_are_planned(tree):
    plan = plan_of(open_tree(tree), skip_small_categories=True)
    left_out = 'category with too few instances'
    assert plan == {5: row(5, left_out=left_out), 9: row(9), 2: row(2)}
    assert list(plan) == [5, 9, 2]  # the file's order


def test_missing_images_change_no_plan(tree):
    whole = plan_of(open_tree(tree), skip_small_categories=True)
    for image_id in range(4, 10):  # all of category 9
        tree.image_path(image_id).unlink()
    assert plan_of(open_tree(tree), skip_small_categories=True) == whole


def test_replay_plans_the_categories_that_the_file_has_not(tree):
    dataset = open_tree(tree)
    sampler = FixedEpisodeSampler(dataset, **DRAW, skip_small_categories=True)
    episodes = tuple(e for e in sampler if e.category_id == 2)
    sha256 = files_sha256([dataset.ann_file])
    path = tree.root / 'episodes.json'
    path.write_text(FrozenEpisodes('draw', 1, sha256, episodes).to_text())
    replayed = FixedEpisodeSampler(open_tree(tree), episodes_file=str(path))
    left_out = 'category not in the episodes file'
    assert replayed.evaluation_plan == {
        5: row(5, left_out=left_out),
        9: row(9, left_out=left_out),
        2: row(2),
    }


def test_metrics_are_told_of_the_plan_and_the_data_set_stays_as_it_is(tree):
    dataset = open_tree(tree)
    sampler = FixedEpisodeSampler(dataset, **DRAW, skip_small_categories=True)
    assert PLAN_KEY not in dataset.metainfo
    meta = dataset_meta(dataset, sampler)
    assert meta == {**dataset.metainfo, PLAN_KEY: sampler.evaluation_plan}
    assert dataset_meta(dataset, sampler=[]) == dataset.metainfo
