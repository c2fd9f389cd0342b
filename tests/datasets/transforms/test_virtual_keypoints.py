"""Virtual keypoints: the same place on every instance of an episode."""

import numpy as np
import pytest
import torch
from episode_data import CocoTree, open_tree, train_pipeline
from mmcv.transforms import RandomApply

from cape_mm.datasets import MP100EpisodeDataset
from cape_mm.datasets.transforms import VirtualKeypoints
from cape_mm.datasets.transforms.virtual_keypoints import VirtualPlan
from cape_mm.errors import ConfigError
from cape_mm.structures import Episode
from cape_mm.structures.geometry import apply_affine
from cape_mm.structures.skeleton import hop_distances

CHAIN = [[0, 1], [1, 2], [2, 3]]
PLAN = VirtualPlan(
    edges=((0, 1), (1, 2)), fractions=(0.25, 0.5), num_real=3, weight=0.5
)


def make_plan(seed=0, skeleton=CHAIN, **kwargs):
    settings = dict(prob=1.0) | kwargs
    return VirtualKeypoints(**settings).plan(skeleton, 4, seed)


def open_virtual(tree: CocoTree, train=True, **kwargs):
    """The data set of a tree with virtual keypoints."""
    pipeline = train_pipeline()
    pipeline.insert(-1, VirtualKeypoints(**dict(prob=1.0) | kwargs))
    dataset = open_tree(tree, train)
    dataset.pipeline.transforms = pipeline
    return dataset


def test_points_by_hand():
    points = torch.tensor([[[0.0, 0.0], [4.0, 8.0], [10.0, 8.0]]])
    extended = PLAN.extend_points(points)
    assert extended.tolist() == [[[0, 0], [4, 8], [10, 8], [1, 2], [7, 8]]]
    assert PLAN.num_keypoints == 5
    assert PLAN.weights == [1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize('hidden', [0, 1, 2])
def test_visible_only_if_both_ends_are(hidden):
    is_visible = torch.ones(2, 3, dtype=torch.bool)
    is_visible[1, hidden] = False
    extended = PLAN.extend_mask(is_visible)
    assert extended[0].all()
    ends = [hidden not in edge for edge in PLAN.edges]
    assert extended[1].tolist() == [*is_visible[1].tolist(), *ends]


def test_graph_distances_of_real_keypoints_stay():
    edges = PLAN.extend_skeleton([[0, 1], [1, 2]])
    assert edges == [[0, 1], [1, 2], [0, 3], [3, 1], [1, 4], [4, 2]]
    after = hop_distances(edges, 5)
    np.testing.assert_array_equal(after[:3, :3], hop_distances([[0, 1], [1, 2]], 3))
    assert after[3].tolist() == [1, 1, 2, 0, 2]


def test_interpolation_commutes_with_the_crop():
    matrix = np.array([[0.3, -1.2, 5.0], [0.9, 0.4, -7.0]])
    points = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(0)).double()
    mapped_first = PLAN.extend_points(
        torch.from_numpy(apply_affine(matrix, points.numpy()))
    )
    mapped_last = apply_affine(matrix, PLAN.extend_points(points).numpy())
    np.testing.assert_allclose(mapped_first.numpy(), mapped_last, atol=1e-12)


def test_plan_depends_on_the_episode_alone():
    assert make_plan(7) == make_plan(7)
    assert len({make_plan(seed) for seed in range(20)}) == 20


def test_numbers_edges_and_fractions_stay_within_their_limits():
    plans = [make_plan(seed, max_points=2, margin=0.3) for seed in range(200)]
    assert {len(plan.edges) for plan in plans} == {1, 2}
    assert all(len(set(plan.edges)) == len(plan.edges) for plan in plans)
    assert {edge for plan in plans for edge in plan.edges} == set(map(tuple, CHAIN))
    fractions = [f for plan in plans for f in plan.fractions]
    assert 0.3 <= min(fractions) < 0.33 and 0.67 < max(fractions) <= 0.7


def test_never_more_points_than_edges():
    plans = [make_plan(seed, max_points=50) for seed in range(100)]
    assert {len(plan.edges) for plan in plans} == {1, 2, 3}


def test_no_plan_by_chance_or_without_edges():
    assert make_plan(prob=0.0) is None
    assert make_plan(skeleton=[]) is None
    planned = [make_plan(seed, prob=0.3) is not None for seed in range(200)]
    assert 40 < sum(planned) < 80


@pytest.mark.parametrize(
    'bad', [dict(max_points=0), dict(margin=0.6), dict(weight=0.0), dict(weight=1.5)]
)
def test_bad_settings(bad):
    with pytest.raises(ValueError, match='max_points >= 1, margin in'):
        VirtualKeypoints(**bad)


@pytest.fixture
def tree(coco_tree) -> CocoTree:
    """One category of four keypoints on a chain, one of its instances half hidden."""
    ids = coco_tree.fill(1, 6, num_keypoints=4)
    hidden = coco_tree.content['annotations'][ids[1] - 100]
    hidden['keypoints'][5] = 0  # the second keypoint
    return coco_tree


def test_all_instances_of_an_episode_get_the_same_points(tree):
    dataset = open_virtual(tree, max_points=3)
    episode = Episode(1, (100, 101), (102, 103, 104), seed=5)
    sample = dataset[episode]['data_samples']
    plan = dataset.pipeline.transforms[-2].plan(CHAIN, 4, 5)
    assert sample.num_virtual_keypoints == len(plan.edges) >= 1
    assert sample.num_keypoints == 4 + len(plan.edges)
    assert sample.keypoint_weights == plan.weights
    assert sample.skeleton == plan.extend_skeleton(CHAIN)
    for instances in (sample.support_instances, sample.gt_instances):
        for key in ('keypoints', 'keypoints_orig'):
            points = instances[key]
            for place, ((a, b), share) in enumerate(zip(plan.edges, plan.fractions), 4):
                expected = points[:, a] * (1 - share) + points[:, b] * share
                torch.testing.assert_close(points[:, place], expected)
        for key in ('is_visible', 'is_visible_orig'):
            ends = torch.tensor(plan.edges)
            both = instances[key][:, ends].all(dim=-1)
            assert torch.equal(instances[key][:, 4:], both)
    assert not sample.support_instances.is_visible[1, 1]


def test_real_keypoints_and_images_are_what_they_were(tree):
    episode = Episode(1, (100,), (102, 103), seed=5)
    plain, more = (d[episode] for d in (open_tree(tree, True), open_virtual(tree)))
    for side in ('support', 'query'):
        assert torch.equal(plain['inputs'][side], more['inputs'][side])
    truth = more['data_samples'].gt_instances
    for key, value in plain['data_samples'].gt_instances.items():
        kept = (
            truth[key][:, :4] if 'keypoint' in key or 'visible' in key else truth[key]
        )
        assert torch.equal(kept, value), key


@pytest.mark.parametrize('is_wrapped', [False, True])
def test_evaluation_data_refuse_them_whatever_else_the_pipeline_says(tree, is_wrapped):
    virtual = VirtualKeypoints()
    pipeline = train_pipeline()  # ends with hide_outside=True
    pipeline.insert(-1, RandomApply([virtual]) if is_wrapped else virtual)
    kwargs = dict(data_root=str(tree.root), pipeline=pipeline)
    name = tree.write().name
    with pytest.raises(ConfigError, match='Leave it out of the pipeline of a data set'):
        MP100EpisodeDataset(name, test_mode=True, **kwargs)
    MP100EpisodeDataset(name, test_mode=False, **kwargs)
