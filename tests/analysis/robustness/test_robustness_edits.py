"""Edits of episodes: what they change, and that nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from episode_data import CocoTree, open_tree
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from cape_mm.analysis.robustness.catalogue import CATALOGUE, choose_perturbations
from cape_mm.analysis.robustness.evaluation_data import EvaluationData, make_loader
from cape_mm.analysis.robustness.support_edits import (
    draw_order,
    keep_points,
    permute_keypoints,
    permuted_skeleton,
    random_skeleton,
    relabel,
    swap_supports,
)
from cape_mm.datasets import FixedEpisodeSampler, collate_episodes
from cape_mm.engine.loops.episode_eval_loop import check_fast
from cape_mm.errors import ConfigError
from cape_mm.structures.skeleton import hop_distances

SIZES = {1: 4, 2: 6, 3: 4}
"""Keypoints by category."""


def open_data(tree: CocoTree, num_shots: int = 1, sizes: dict | None = None, **sampler):
    """The loader of an evaluation of small categories."""
    for category_id, num_keypoints in (sizes or SIZES).items():
        tree.fill(category_id, 5, num_keypoints=num_keypoints)
    dataset = open_tree(tree)
    settings = dict(num_shots=num_shots, num_queries=2, episodes_per_category=2)
    episodes = FixedEpisodeSampler(dataset, **(settings | sampler))
    return DataLoader(dataset, 2, sampler=episodes, collate_fn=collate_episodes)


@pytest.fixture
def data(coco_tree) -> EvaluationData:
    return EvaluationData.of_loader(open_data(coco_tree))


def snapshot(data: EvaluationData) -> list:
    """All labels that the episodes are made from."""
    return [
        (inst.ann_id, inst.keypoints.tobytes(), inst.is_visible.tobytes())
        for inst in data.dataset.index.instances
    ] + [category.skeleton for category in data.dataset.categories.values()]


@pytest.mark.parametrize('name', CATALOGUE)
def test_every_edit_keeps_the_original_and_the_pairs(data, name):
    before = snapshot(data)
    entry = CATALOGUE[name]
    edited = entry.edit(data, entry.values[-1], 0)
    again = entry.edit(data, entry.values[-1], 0)
    assert snapshot(data) == before
    assert edited.episodes == again.episodes
    assert snapshot(edited) == snapshot(again)
    kept = [e for e in data.episodes if e.index in {e.index for e in edited.episodes}]
    assert [(e.index, e.category_id, len(e.query_ids)) for e in edited.episodes] == [
        (e.index, e.category_id, len(e.query_ids)) for e in kept
    ]


@pytest.mark.parametrize('name', CATALOGUE)
def test_every_edit_can_keep_features(coco_tree, name):
    """None of them forces the loop back to one image at a time."""

    class Model:
        encode_instances = predict_from_features = None

    loader = open_data(coco_tree)
    entry = CATALOGUE[name]
    edited = entry.edit(EvaluationData.of_loader(loader), entry.values[0], 0)
    check_fast(Model(), make_loader(loader, edited), 'test')


def test_keypoint_order_is_one_cycle_and_carries_the_edges(data):
    category = data.dataset.categories[2]
    order = draw_order(category, 0)
    assert sorted(order) == list(range(6))
    assert not (order == np.arange(6)).any()
    hops = hop_distances(category.skeleton, 6)
    moved = hop_distances(relabel(category.skeleton, order), 6)
    np.testing.assert_array_equal(moved, hops[np.ix_(order, order)])


def test_permuted_keypoints_are_the_same_points(data):
    edited = permute_keypoints(data, 0)
    for episode in edited.episodes:
        order = edited.keypoint_order[episode.category_id]
        for ann_id in episode.support_ids + episode.query_ids:
            old, new = (d.dataset.get_instance(ann_id) for d in (data, edited))
            np.testing.assert_array_equal(new.keypoints, old.keypoints[order])


def test_random_skeleton_has_as_many_edges(data):
    category = data.dataset.categories[2]
    edges = [random_skeleton(category, seed) for seed in (0, 1)]
    assert all(len({frozenset(e) for e in s}) == 5 for s in edges)
    assert edges[0] != edges[1]
    permuted = permuted_skeleton(category, 0)
    degrees = [
        sorted(np.bincount(np.ravel(skeleton)).tolist())
        for skeleton in (category.skeleton, permuted)
    ]
    assert degrees[0] == degrees[1]
    assert set(permuted) != set(category.skeleton)


@pytest.mark.parametrize('num_shots', [1, 2])
def test_all_shots_mark_the_same_points(coco_tree, num_shots):
    data = EvaluationData.of_loader(open_data(coco_tree, num_shots))
    edited = keep_points(data, 2, 0)
    chosen = set()
    for old, new in zip(data.episodes, edited.episodes):
        masks = [edited.dataset.get_instance(i).is_visible for i in new.support_ids]
        assert [mask.sum() for mask in masks] == [2] * num_shots
        assert all(np.array_equal(mask, masks[0]) for mask in masks)
        assert new.query_ids == old.query_ids
        chosen.add(masks[0].tobytes())
    assert len(chosen) > 2
    assert edited.notes == ()


def test_more_points_than_there_are_change_nothing(data):
    edited = keep_points(data, 5, 0)
    assert edited.episodes[:2] == data.episodes[:2]  # K = 4
    assert edited.episodes[2] != data.episodes[2]  # K = 6
    assert edited.notes == ('4 of 6 episodes mark no more than 5',)


def test_wrong_supports_are_of_the_nearest_category_cut_to_size(data):
    edited = swap_supports(data, 0)
    # 1 and 3 have 4 points and stand in for each other; nobody has the 6 of category 2
    assert {episode.category_id for episode in edited.episodes} == {1, 3}
    assert "category 2 ('cat2') left out" in edited.notes[0]
    for episode in edited.episodes:
        (support,) = (edited.dataset.get_instance(i) for i in episode.support_ids)
        assert support.ann_id >= data.free_id
        assert support.file_name.startswith(f'cat{4 - episode.category_id}/')
        assert support.category_id == episode.category_id
        item = edited.dataset[episode]['data_samples']
        assert item.support_instances.keypoints.shape == (1, 4, 2)


def test_a_larger_category_is_cut_with_its_skeleton(coco_tree):
    data = EvaluationData.of_loader(open_data(coco_tree, sizes={1: 3, 2: 5}))
    edited = swap_supports(data, 0)
    assert {episode.category_id for episode in edited.episodes} == {1}
    assert edited.dataset.categories[1].skeleton == ((0, 1), (1, 2))
    (twin, *_) = (
        edited.dataset.get_instance(i) for i in edited.episodes[0].support_ids
    )
    assert twin.keypoints.shape == (3, 2)


def test_no_partner_at_all_is_refused(coco_tree):
    data = EvaluationData.of_loader(open_data(coco_tree, sizes={1: 3}))
    with pytest.raises(ConfigError, match='wrong_category: no category has another'):
        swap_supports(data, 0)


def test_query_twins_are_queries_and_supports_are_not(data):
    edited = CATALOGUE['rotation'].edit(data, 90, 0)
    for old, new in zip(data.episodes, edited.episodes):
        assert new.support_ids == old.support_ids
        twins = [edited.dataset.get_instance(i).twin_of for i in new.query_ids]
        assert tuple(twins) == old.query_ids
        samples = [d.dataset[e] for d, e in ((data, old), (edited, new))]
        one, other = samples
        assert (one['inputs']['support'] == other['inputs']['support']).all()
        truth = [s['data_samples'].gt_instances for s in samples]
        assert not (truth[0].keypoints == truth[1].keypoints).all()
        assert (truth[0].keypoints_orig == truth[1].keypoints_orig).all()


def test_one_keypoint_survives_every_edit(coco_tree):
    """K = 1: no edge, nothing to permute, nothing to leave out."""
    data = EvaluationData.of_loader(open_data(coco_tree, sizes={1: 1, 2: 1}))
    for entry in CATALOGUE.values():
        edited = entry.edit(data, entry.values[0], 0)
        item = edited.dataset[edited.episodes[0]]['data_samples']
        assert item.skeleton == []
        assert item.gt_instances.keypoints.shape[1] == 1


def test_the_first_episodes_of_every_category_keep_their_index(coco_tree):
    loader = open_data(coco_tree, episodes_per_category=3)
    data = EvaluationData.of_loader(loader, 1)
    assert [episode.index for episode in data.episodes] == [0, 3, 6]
    with pytest.raises(ConfigError, match='must be at least 1, got 0'):
        EvaluationData.of_loader(loader, 0)


def test_other_loaders_are_refused(coco_tree):
    dataset = open_data(coco_tree).dataset
    loader = DataLoader(dataset, sampler=DefaultSampler(dataset))
    with pytest.raises(ConfigError, match='measured on fixed episodes'):
        EvaluationData.of_loader(loader)


def test_a_pipeline_without_warp_is_refused(data):
    data.dataset.pipeline.transforms.pop(2)
    with pytest.raises(ConfigError, match='has 0 transforms WarpInstance'):
        CATALOGUE['jpeg'].edit(data, 10, 0)


def test_unknown_names_are_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="'rotatoin' .did you mean 'rotation'"):
        choose_perturbations(['jpeg', 'rotatoin'])
    with pytest.raises(ConfigError, match='no perturbation named'):
        choose_perturbations([])
    names = [entry.name for entry in choose_perturbations(['jpeg', 'no_skeleton'])]
    assert names == ['no_skeleton', 'jpeg']
