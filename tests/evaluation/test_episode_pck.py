"""The metric: hand-worked pairs, and the field's own evaluation."""

import json

import numpy as np
import pytest
import torch
from episode_samples import make_instances, make_sample, random_sample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from shared_folder import SHARED

from cape_mm.errors import MissingDataError
from cape_mm.evaluation import EpisodePCK
from cape_mm.structures import EpisodeDataSample

NESTED = {'per_category', 'pck_curve', 'confidence_intervals'}
PARITY = SHARED / 'parity/evaluate_capeformer.npz'


def hand_sample(**kwargs):
    """One support, two queries, three keypoints; the box is 100 x 50 everywhere.

    Scored (visible in query and support): keypoints 0, 1 of query 0, keypoint 0 of
    query 1. Their errors are 3, 15 and 30 px.
    """
    box = torch.tensor([[0.0, 0.0, 100.0, 50.0]])
    support = make_instances(
        torch.tensor([[[10.0, 10], [20, 20], [30, 30]]]),
        torch.tensor([[True, True, False]]),
        box,
    )
    truth = torch.tensor([[[10.0, 10], [20, 20], [30, 30]], [[60.0, 10]] * 3])
    query = make_instances(
        truth,
        torch.tensor([[True, True, True], [True, False, True]]),
        box.repeat(2, 1),
    )
    error = torch.tensor([[[3.0, 0], [0, 15], [99, 0]], [[0, 30], [99, 0], [99, 0]]])
    return make_sample(support, query, truth + error, **kwargs)


def evaluate(*samples, size=1):
    metric = EpisodePCK()
    metric.process(None, [sample.to_dict() for sample in samples])
    return metric.evaluate(size)


def test_pairs_by_hand():
    metrics = evaluate(hand_sample())
    assert metrics['num_pairs'] == 2
    # query 0: errors .03 and .15; query 1: .30
    assert metrics['PCK@0.05'] == pytest.approx((1 / 2 + 0) / 2)
    assert metrics['PCK@0.15'] == pytest.approx((1 / 2 + 0) / 2)  # strict
    assert metrics['PCK@0.2'] == pytest.approx((2 / 2 + 0) / 2)
    assert metrics['NME'] == pytest.approx((0.09 + 0.30) / 2)
    assert metrics['EPE'] == pytest.approx((9 + 30) / 2)
    assert metrics['mPCK5'] == pytest.approx((0.25 * 3 + 0.5 * 2) / 5)
    assert metrics['mPCK4'] == pytest.approx((0.25 * 3 + 0.5) / 4)
    # the floor: exact in query 0 (same place in the same box), 50 px off in query 1
    assert metrics['copy_support/PCK@0.2'] == pytest.approx(0.5)
    assert metrics['copy_support/EPE'] == pytest.approx(25)
    assert metrics['copy_support/mPCK5'] == pytest.approx(0.5)


def test_a_matcher_is_a_second_floor_on_the_same_pairs():
    sample = hand_sample()
    # 0.3 and nothing off; its keypoints that are not scored do not count
    matched = sample.gt_instances.keypoints_orig.clone()
    matched[0, :2] += torch.tensor([30.0, 0])
    matched[1, 1:] += 1000
    sample.pred_instances.matched_keypoints_orig = matched
    metrics = evaluate(sample)
    assert metrics['matching/PCK@0.2'] == pytest.approx((0 + 1) / 2)
    assert metrics['matching/NME'] == pytest.approx((0.3 + 0) / 2)
    assert metrics['per_category']['1 cat']['matching/PCK@0.2'] == pytest.approx(0.5)
    assert metrics['pck_curve']['matching/PCK'][20] == pytest.approx(0.5)
    plain = evaluate(hand_sample())
    assert not [key for key in plain if key.startswith('matching')]
    assert {key: metrics[key] for key in plain.keys() - NESTED} == {
        key: plain[key] for key in plain.keys() - NESTED
    }


def test_pair_without_scorable_keypoint_counts_zero():
    empty = hand_sample(index=1)
    empty.gt_instances.is_visible_orig[1] = torch.tensor([False, False, True])
    metrics = evaluate(hand_sample(), empty)
    assert metrics['num_pairs'] == 4
    assert metrics['num_pairs_empty'] == 1
    assert metrics['PCK@0.2'] == pytest.approx((1 + 0 + 1 + 0) / 4)
    assert metrics['PCK_valid@0.2'] == pytest.approx((1 + 0 + 1) / 3)
    assert metrics['NME'] == pytest.approx((0.09 + 0.30 + 0.09) / 4)
    assert metrics['NME_valid'] == pytest.approx((0.09 + 0.30 + 0.09) / 3)


def test_all_supports_must_show_a_keypoint():
    sample = hand_sample()
    supports = sample.support_instances
    sample.support_instances = InstanceData.cat([supports, supports])
    sample.support_instances.is_visible_orig[1, 1] = False
    # keypoint 1 (error .15) is out: query 0 is left with the error .03
    assert evaluate(sample)['PCK@0.05'] == pytest.approx((1 + 0) / 2)


def test_dropped_pairs_are_counted_by_reason():
    partial = random_sample(
        3, slots=[0, 2, 4], dropped=[(1, 'image not found'), (3, 'corrupt')]
    )
    lost = EpisodeDataSample(
        metainfo={
            'episode_index': 4,
            'category_id': 9,
            'category_name': 'gone',
            'query_slots': [],
            'dropped_pairs': [
                {'slot': s, 'ann_id': s, 'reason': 'image not found'} for s in range(2)
            ],
        }
    )
    metrics = evaluate(partial, lost)
    assert metrics['num_pairs'] == 3
    assert metrics['num_pairs_dropped'] == 4
    assert metrics['dropped_by_reason'] == {'image not found': 3, 'corrupt': 1}
    assert metrics['num_categories'] == 1
    gone = metrics['per_category']['9 gone']
    assert (gone['num_pairs'], gone['num_pairs_dropped']) == (0, 2)
    assert np.isnan(gone['PCK@0.2'])


def test_metrics_are_plain_json():
    metrics = evaluate(hand_sample(), random_sample(1))
    assert json.loads(json.dumps(metrics)) == metrics
    assert metrics.pop('partial') is None
    numbers = [v for v in metrics.values() if not isinstance(v, dict)]
    assert {type(number) for number in numbers} == {float, int}


def test_size_of_the_data_set_cuts_nothing():
    """Two items, seven pairs: MMEngine's own metrics would keep two."""
    samples = [random_sample(0, num_queries=3), random_sample(1, num_queries=4)]
    evaluator = Evaluator(EpisodePCK())
    evaluator.process(samples)
    assert evaluator.evaluate(size=len(samples))['num_pairs'] == 7


def test_repeated_episode_counts_once():
    sample = random_sample(0)
    assert evaluate(sample, random_sample(1), sample) == evaluate(
        sample, random_sample(1)
    )


def test_order_of_the_episodes_does_not_matter():
    samples = [random_sample(index) for index in range(6)]
    assert evaluate(*samples) == evaluate(*samples[::-1])


@pytest.mark.parametrize('shape', [(2, 4, 2), (1, 3, 2), (2, 3, 3)])
def test_prediction_of_another_shape_is_refused(shape):
    sample = hand_sample(index=12)
    sample.pred_instances = InstanceData(keypoints_orig=torch.zeros(shape))
    with pytest.raises(ValueError, match='episode 12 of category 1: expected'):
        evaluate(sample)


def test_non_finite_prediction_is_refused():
    sample = hand_sample(index=12)
    sample.pred_instances.keypoints_orig[1, 0, 0] = float('nan')
    with pytest.raises(ValueError, match='episode 12 of category 1: 1 predicted'):
        evaluate(sample)


def test_no_pair_at_all_is_an_error():
    with pytest.raises(MissingDataError, match='no support-query pair was scored'):
        EpisodePCK().evaluate(10)


def test_pairs_equal_capeformer():
    """90 stored pairs, as episodes of one query whose support shows the mask."""
    if not PARITY.is_file():
        pytest.skip(f'stored reference outputs are not at {PARITY}')
    with np.load(PARITY) as file:
        stored = dict(file)
    metric = EpisodePCK()
    for index in range(len(stored['pred'])):
        row = slice(index, index + 1)
        box = stored['bbox'][row].astype(np.float32)
        seen = np.ones_like(stored['mask'][row])
        sample = make_sample(
            make_instances(stored['gt'][row], stored['mask'][row], box),
            make_instances(stored['gt'][row], seen, box),
            stored['pred'][row],
            index,
            category_id=int(stored['category'][index]),
        )
        metric.process(None, [sample])
    metrics = metric.evaluate(1)
    for key in ('0.05', '0.1', '0.15', '0.2', '0.25'):
        expected = stored[f'result/PCK@{key}']
        assert metrics[f'PCK@{key}'] == pytest.approx(expected, abs=1e-12)
    assert metrics['mPCK5'] == pytest.approx(stored['result/mPCK'], abs=1e-12)
    for key in ('AUC', 'NME', 'EPE'):
        assert metrics[key] == pytest.approx(stored[f'result/{key}'], rel=1e-6)
