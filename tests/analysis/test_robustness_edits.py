"""Edits of episodes: what they change, and that nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from episode_data import CocoTree, open_tree
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from cape_mm.analysis.robustness import open_data
from cape_mm.analysis.robustness_edits import (
    EDITS,
    EvaluationData,
    choose_edits,
    draw_order,
    relabel,
)
from cape_mm.datasets import FixedEpisodeSampler, collate_episodes
from cape_mm.errors import ConfigError
from cape_mm.structures.skeleton import hop_distances

SIZES = {1: 4, 2: 6, 3: 4}
"""Keypoints by category."""
BY_NAME = {edit.name: edit for edit in EDITS}


def make_loader(tree: CocoTree, sizes: dict | None = None, **sampler) -> DataLoader:
    """The loader of an evaluation of small categories."""
    for category_id, num_keypoints in (sizes or SIZES).items():
        tree.fill(category_id, 5, num_keypoints=num_keypoints)
    dataset = open_tree(tree)
    settings = dict(num_shots=1, num_queries=2, episodes_per_category=2)
    episodes = FixedEpisodeSampler(dataset, **(settings | sampler))
    return DataLoader(dataset, 2, sampler=episodes, collate_fn=collate_episodes)


@pytest.fixture
def data(coco_tree) -> EvaluationData:
    return open_data(make_loader(coco_tree), None)


def snapshot(data: EvaluationData) -> list:
    """All labels that the episodes are made from."""
    return [
        (inst.ann_id, inst.keypoints.tobytes(), inst.is_visible.tobytes())
        for inst in data.dataset.index.instances
    ] + [category.skeleton for category in data.dataset.categories.values()]


@pytest.mark.parametrize('edit', EDITS, ids=lambda edit: edit.name)
def test_every_edit_keeps_the_original_and_the_pairs(data, edit):
    before = snapshot(data)
    edited, again = (edit.apply(data, edit.values[-1], 0) for _ in range(2))
    assert snapshot(data) == before
    assert snapshot(edited) == snapshot(again)
    assert edited.episodes == again.episodes
    for old, new in zip(data.episodes, edited.episodes):
        assert (old.index, old.category_id) == (new.index, new.category_id)
        assert len(old.query_ids) == len(new.query_ids)
        items = [d.dataset[e]['data_samples'] for d, e in ((data, old), (edited, new))]
        scored = [item.gt_instances.is_visible_orig.sum() for item in items]
        assert scored[0] == scored[1]


def test_keypoint_order_is_one_cycle_and_carries_the_edges(data):
    category = data.dataset.categories[2]
    order = draw_order(category, 0)
    assert sorted(order) == list(range(6))
    assert not (order == np.arange(6)).any()
    hops = hop_distances(category.skeleton, 6)
    moved = hop_distances(relabel(category.skeleton, order), 6)
    np.testing.assert_array_equal(moved, hops[np.ix_(order, order)])


def test_a_permuted_skeleton_is_the_same_graph_elsewhere(data):
    category = data.dataset.categories[2]
    edited = BY_NAME['permuted_skeleton'].apply(data, None, 0)
    permuted = edited.dataset.categories[2].skeleton
    degrees = [
        sorted(np.bincount(np.ravel(skeleton)).tolist())
        for skeleton in (category.skeleton, permuted)
    ]
    assert degrees[0] == degrees[1]
    assert set(permuted) != set(category.skeleton)


def test_queries_are_disturbed_and_supports_are_not(data):
    edited = BY_NAME['rotation'].apply(data, 90, 0)
    for old, new in zip(data.episodes, edited.episodes):
        assert new.support_ids == old.support_ids
        twins = [edited.dataset.index[i].twin_of for i in new.query_ids]
        assert tuple(twins) == old.query_ids
        samples = [d.dataset[e] for d, e in ((data, old), (edited, new))]
        one, other = samples
        assert (one['inputs']['support'] == other['inputs']['support']).all()
        truth = [s['data_samples'].gt_instances for s in samples]
        assert not (truth[0].keypoints == truth[1].keypoints).all()
        assert (truth[0].keypoints_orig == truth[1].keypoints_orig).all()


def test_the_first_episodes_of_every_category_keep_their_index(coco_tree):
    loader = make_loader(coco_tree, episodes_per_category=3)
    assert [e.index for e in open_data(loader, 1).episodes] == [0, 3, 6]
    with pytest.raises(ConfigError, match='at least 1, got 0'):
        open_data(loader, 0)


def test_refusals(coco_tree, data):
    loader = DataLoader(data.dataset, sampler=DefaultSampler(data.dataset))
    with pytest.raises(ConfigError, match='measured on fixed episodes'):
        open_data(loader, None)
    data.dataset.pipeline.transforms.pop(2)
    with pytest.raises(ConfigError, match='has 0 transforms WarpInstance'):
        BY_NAME['jpeg'].apply(data, 10, 0)


def test_names():
    with pytest.raises(ConfigError, match="'rotatoin' .did you mean 'rotation'"):
        choose_edits(['jpeg', 'rotatoin'])
    names = [edit.name for edit in choose_edits(['jpeg', 'no_skeleton'])]
    assert names == ['no_skeleton', 'jpeg']
    assert len(choose_edits(None)) == len(EDITS)
