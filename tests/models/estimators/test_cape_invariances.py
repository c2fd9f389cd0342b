"""What must, and what must not, change the predictions of the whole model."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from mmengine.structures import InstanceData
from tiny_cape import (
    build_cape,
    compute_loss,
    make_episode,
    mixed_episodes,
    permute_keypoints,
    predict,
)

from cape_mm.models import AutoregressiveHead

MODES = AutoregressiveHead.modes

PIXELS = 1e-4
"""Rounding of float32, in which points are read from heat maps, in pixels of 64."""

in_all_modes = pytest.mark.parametrize('mode', MODES)


def assert_same(actual, expected, atol=PIXELS):
    """Two lists of predictions agree in points and scores."""
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected):
        for key in ('keypoints', 'keypoint_scores'):
            torch.testing.assert_close(one[key], other[key], atol=atol, rtol=0)


def mean_distance(one, other):
    """Mean distance in pixels of two lists of predictions."""
    pairs = zip(one, other)
    moved = [(a.keypoints - b.keypoints).norm(dim=-1).flatten() for a, b in pairs]
    return torch.cat(moved).mean().item()


@in_all_modes
@pytest.mark.parametrize('num_keypoints', [5, 6, 7])
def test_permuting_keypoints_permutes_predictions(cape, mode, num_keypoints):
    hidden = ((0, 1), (1, 1), (0, 3))  # 1 is unknown, 3 known from the second shot
    item = make_episode(4, num_keypoints, num_shots=2, support_hidden=hidden)
    order = [place for place in (5, 3, 0, 6, 4, 1, 2) if place < num_keypoints]
    (expected,) = predict(cape, [item], mode)
    (permuted,) = predict(cape, [permute_keypoints(item, order)], mode)
    assert (expected.keypoints - expected.keypoints[:, order]).abs().mean() > 1
    assert_same([permuted], [pick(expected, order)])


def pick(instances, order):
    """Predictions of the keypoints in another order."""
    return InstanceData(
        keypoints=instances.keypoints[:, order],
        keypoint_scores=instances.keypoint_scores[:, order],
    )


@in_all_modes
@pytest.mark.parametrize('num_shots', [1, 2])
def test_batched_prediction_equals_one_by_one(cape, mode, num_shots):
    """Mixed K, numbers of queries, skeletons and unknown keypoints."""
    items = mixed_episodes(num_shots)
    alone = [predict(cape, [item], mode)[0] for item in items]
    assert_same(predict(cape, items, mode), alone)
    assert_same(predict(cape, items[::-1], mode), alone[::-1])


@pytest.mark.parametrize('mode', ['ar', 'ar+refine'])
def test_random_test_order_is_the_same_alone(mode):
    """For every query of every batch, however many keypoints the others have."""
    items = mixed_episodes()
    model = build_cape(head=dict(test_order='random'))
    alone = [predict(model, [item], mode)[0] for item in items]
    assert_same(predict(model, items, mode), alone)
    assert_same(predict(model, items[::-1], mode), alone[::-1])
    single = deepcopy(items[0])
    single['inputs']['query'] = single['inputs']['query'][1:]
    sample = single['data_samples']
    sample.set_metainfo(dict(query_slots=[0], crop_to_image=sample.crop_to_image[1:]))
    sample.gt_instances = sample.gt_instances[1:]
    (second,) = predict(model, [single], mode)
    assert_same([second], [alone[0][1:]])
    by_skeleton = predict(build_cape(), items, mode)
    assert mean_distance(alone, by_skeleton) > 0.1


@in_all_modes
def test_queries_do_not_see_each_other(cape, mode):
    item = make_episode(num_queries=3)
    (together,) = predict(cape, [item], mode)
    for query in range(3):
        single = deepcopy(item)
        single['inputs']['query'] = item['inputs']['query'][query : query + 1]
        single['data_samples'].set_metainfo(
            dict(
                query_slots=[query],
                crop_to_image=item['data_samples'].crop_to_image[query : query + 1],
            )
        )
        (alone,) = predict(cape, [single], mode)
        assert_same([alone], [together[query]])


@in_all_modes
@pytest.mark.parametrize('kind', ['garbage', 'absent'])
def test_the_queries_labels_change_nothing(cape, mode, kind):
    """Bit by bit, for garbage of every kind and for no labels at all."""
    items, spoilt = mixed_episodes(), mixed_episodes()
    for item in spoilt:
        if kind == 'absent':
            del item['data_samples'].gt_instances
            continue
        labels = item['data_samples'].gt_instances
        labels.keypoints.fill_(float('nan'))
        labels.keypoints_orig.fill_(-1e9)
        labels.is_visible.logical_not_()
        labels.is_visible_orig.zero_()
        labels.bboxes.fill_(float('inf'))
        labels.ann_ids.fill_(-1)
        labels.img_ids.fill_(-1)
    assert_same(predict(cape, spoilt, mode), predict(cape, items, mode), atol=0)


@in_all_modes
@pytest.mark.parametrize('change', ['swap', 'blank'])
def test_the_support_image_matters(cape, mode, change):
    items = [make_episode(1), make_episode(2)]
    other = deepcopy(items)
    for index, item in enumerate(other):
        image = items[1 - index]['inputs']['support']
        item['inputs']['support'] = image * (change == 'swap')
    distance = mean_distance(predict(cape, items, mode), predict(cape, other, mode))
    assert distance > 0.2  # it is 0 for a model that never looks


@in_all_modes
def test_the_query_image_matters(cape, mode):
    item, other = make_episode(1), make_episode(1)
    other['inputs']['query'] = make_episode(2)['inputs']['query']
    assert (
        mean_distance(predict(cape, [item], mode), predict(cape, [other], mode)) > 0.5
    )


@in_all_modes
def test_support_coordinates_and_skeleton_matter(cape, mode):
    item = make_episode(1)
    moved, rewired = deepcopy(item), deepcopy(item)
    support = moved['data_samples'].support_instances
    support.keypoints = 63 - support.keypoints
    rewired['data_samples'].set_metainfo(dict(skeleton=[[0, 4], [1, 3]]))
    expected = predict(cape, [item], mode)
    for other in (moved, rewired):
        assert mean_distance(predict(cape, [other], mode), expected) > 0.1


@in_all_modes
@pytest.mark.parametrize('garbage', [float('nan'), 1e6])
def test_coordinates_of_invisible_support_keypoints_change_nothing(cape, mode, garbage):
    hidden = ((0, 1), (1, 1), (0, 3))
    item = make_episode(3, num_shots=2, support_hidden=hidden)
    spoilt = deepcopy(item)
    for pair in hidden:
        spoilt['data_samples'].support_instances.keypoints[pair] = garbage
        spoilt['data_samples'].support_instances.keypoints_orig[pair] = garbage
    assert_same(predict(cape, [spoilt], mode), predict(cape, [item], mode), atol=0)


@in_all_modes
def test_order_of_shots_does_not_matter(cape, mode):
    item = make_episode(3, num_shots=3, support_hidden=((0, 1), (2, 1), (0, 3)))
    other, order = deepcopy(item), [2, 0, 1]
    other['inputs']['support'] = item['inputs']['support'][order]
    other['data_samples'].support_instances = item['data_samples'].support_instances[
        order
    ]
    assert_same(predict(cape, [other], mode), predict(cape, [item], mode))


@in_all_modes
def test_the_same_shot_twice_is_one_shot(cape, mode):
    item = make_episode(3, support_hidden=((0, 2),))
    twice = deepcopy(item)
    twice['inputs']['support'] = item['inputs']['support'][[0, 0]]
    twice['data_samples'].support_instances = item['data_samples'].support_instances[
        [0, 0]
    ]
    assert_same(predict(cape, [twice], mode), predict(cape, [item], mode))


@in_all_modes
def test_keypoint_of_one_visible_shot_is_predicted_from_that_shot(cape, mode):
    """Hidden in one shot it is known from the other; hidden in both it is unknown."""
    item = make_episode(3, num_shots=2, support_hidden=((0, 2),))
    (prediction,) = predict(cape, [item], mode)
    assert (prediction.keypoint_scores > 0).all()
    assert (prediction.keypoints[:, 2] != 31.5).all()
    unknown = make_episode(3, num_shots=2, support_hidden=((0, 2), (1, 2)))
    (prediction,) = predict(cape, [unknown], mode)
    assert (prediction.keypoint_scores[:, 2] == 0).all()
    assert (prediction.keypoints[:, 2] == 31.5).all()


def test_the_truth_of_an_invisible_query_keypoint_changes_no_loss_nor_gradient():
    hidden = ((0, 2), (1, 0), (1, 4))
    item = make_episode(3, query_hidden=hidden)
    results = []
    for garbage in (None, float('nan'), 1e6):
        for pair in hidden if garbage is not None else ():
            item['data_samples'].gt_instances.keypoints[pair] = garbage
        model = build_cape()
        torch.manual_seed(0)  # of the prefix mix
        loss = compute_loss(model, [item])
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        results.append((loss.item(), gradient))
    for loss, gradient in results[1:]:
        assert loss == results[0][0]
        assert torch.equal(gradient, results[0][1])
    assert torch.isfinite(gradient).all()
