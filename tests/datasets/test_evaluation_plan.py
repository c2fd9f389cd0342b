"""What a full draw would give: every category with instances, drawn or not."""

import pytest
from episode_data import open_tree

from cape_mm.datasets import FixedEpisodeSampler
from cape_mm.datasets.evaluation_plan import PLAN_KEY, dataset_meta
from cape_mm.datasets.frozen_episodes import FrozenEpisodes, files_sha256

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
