"""What a full draw would give: every category with instances, drawn or not."""

import pytest
from episode_data import open_tree

from cape_mm.datasets import EpisodeSampler
from cape_mm.datasets.evaluation_plan import PLAN_KEY
from cape_mm.datasets.frozen_episodes import FrozenEpisodes, files_sha256

DRAW = dict(mode='eval', num_shots=1, num_queries=3, episodes_per_category=4)


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
    EpisodeSampler(dataset, **{**DRAW, **kwargs})
    return dataset.metainfo[PLAN_KEY]


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
    sampler = EpisodeSampler(dataset, **DRAW, skip_small_categories=True)
    episodes = tuple(e for e in sampler if e.category_id == 2)
    sha256 = files_sha256([dataset.ann_file])
    path = tree.root / 'episodes.json'
    path.write_text(FrozenEpisodes('draw', 1, sha256, episodes).to_text())
    again = open_tree(tree)
    EpisodeSampler(again, mode='eval', episodes_file=str(path))
    left_out = 'category not in the episodes file'
    assert again.metainfo[PLAN_KEY] == {
        5: row(5, left_out=left_out),
        9: row(9, left_out=left_out),
        2: row(2),
    }


def test_training_announces_nothing(tree):
    dataset = open_tree(tree, train=True)
    EpisodeSampler(
        dataset, num_queries=3, episodes_per_epoch=4, skip_small_categories=True
    )
    assert PLAN_KEY not in dataset.metainfo
