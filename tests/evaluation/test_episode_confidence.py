"""Confidence and visibility in the metric: which keypoints count, and as what."""

import pytest
import torch
from episode_samples import make_instances, make_sample
from mmengine.structures import InstanceData

from cape_mm.evaluation import EpisodePCK

CONFIDENCE_KEYS = {
    *('mean_confidence', 'ECE@0.2', 'Brier@0.2', 'AURC@0.2', 'risk_coverage@0.2'),
}


def hand_sample(index=0, confidence=None, visibility=None):
    """Two queries of three keypoints; the box is 100 x 50, so 20 px are too far.

    Scored are keypoints 0, 1 of query 0 (errors 3, 30) and 0 of query 1 (error 20).
    The support shows keypoints 0 and 1, query 1 hides keypoint 1.
    """
    box = torch.tensor([[0.0, 0.0, 100.0, 50.0]])
    support = make_instances(
        torch.zeros(1, 3, 2), torch.tensor([[True, True, False]]), box
    )
    is_visible = torch.tensor([[True, True, True], [True, False, True]])
    query = make_instances(torch.zeros(2, 3, 2), is_visible, box.repeat(2, 1))
    pred = torch.zeros(2, 3, 2)
    pred[..., 0] = torch.tensor([[3.0, 30, 0], [20, 0, 0]])
    fields = {'keypoint_scores': confidence, 'keypoints_visible': visibility}
    scores = {key: value for key, value in fields.items() if value is not None}
    return make_sample(support, query, pred, index, scores=scores)


def evaluate(*samples):
    metric = EpisodePCK()
    metric.process(None, [sample.to_dict() for sample in samples])
    return metric.evaluate(1)


def test_confidence_by_hand():
    """Right at .9; wrong at .6 and, as 20 px are not below .2, at .7."""
    confidence = torch.tensor([[0.9, 0.6, 5.0], [0.7, float('nan'), -1.0]])
    metrics = evaluate(hand_sample(confidence=confidence))
    assert metrics['mean_confidence'] == pytest.approx(2.2 / 3)
    assert metrics['ECE@0.2'] == pytest.approx((0.1 + 0.6 + 0.7) / 3)
    assert metrics['Brier@0.2'] == pytest.approx((0.01 + 0.36 + 0.49) / 3)
    assert metrics['AURC@0.2'] == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)
    curve = metrics['risk_coverage@0.2']
    assert list(curve) == ['0.2', '0.4', '0.6', '0.8', '1']
    assert curve['0.2'] == 0
    assert curve['0.4'] == curve['0.6'] == pytest.approx(1 / 2)
    assert curve['1'] == pytest.approx(2 / 3)


def test_visibility_by_hand():
    """Keypoints 0, 1 count: .8, .3, .5 of seen ones against .5 of the hidden one."""
    visibility = torch.tensor([[0.8, 0.3, 9.0], [0.5, 0.5, float('nan')]])
    metrics = evaluate(hand_sample(visibility=visibility))
    assert metrics['visibility_AUROC'] == pytest.approx((1 + 0 + 0.5) / 3)
    assert not CONFIDENCE_KEYS & metrics.keys()


def test_visibility_is_asked_of_what_all_supports_show():
    """Another support hides keypoint 1: 0.8 and 0.5 are left, both of seen ones."""
    sample = hand_sample(visibility=torch.tensor([[0.8, 0.3, 9.0], [0.5, 0.5, 1.0]]))
    shown = sample.support_instances
    sample.support_instances = InstanceData.cat([shown, shown])
    sample.support_instances.is_visible_orig[1, 1] = False
    metric = EpisodePCK()
    metric.process(None, [sample.to_dict()])
    assert 'visibility_AUROC' not in metric.evaluate(1)
    assert metric.pairs.points['is_shared'].tolist() == [True, False] * 2


def test_absent_scores_leave_their_keys_out():
    """Also if only some of the episodes have them."""
    with_scores = hand_sample(1, torch.ones(2, 3), torch.rand(2, 3))
    for metrics in (evaluate(hand_sample()), evaluate(hand_sample(), with_scores)):
        assert not (CONFIDENCE_KEYS | {'visibility_AUROC'}) & metrics.keys()


def test_rounding_above_one_is_forgiven_and_more_is_not():
    confidence = torch.full((2, 3), 1.0 + 1e-5)
    assert evaluate(hand_sample(confidence=confidence))['mean_confidence'] == 1
    with pytest.raises(ValueError, match=r'episode 4 .*\[0, 1\], but one lies 0.5 out'):
        evaluate(hand_sample(4, confidence=torch.full((2, 3), 1.5)))
    with pytest.raises(ValueError, match='one lies 0.5 outside'):
        evaluate(hand_sample(confidence=torch.full((2, 3), -0.5)))


@pytest.mark.parametrize('name', ['keypoint_scores', 'keypoints_visible'])
def test_nan_and_other_shapes_are_refused(name):
    field = {'keypoint_scores': 'confidence', 'keypoints_visible': 'visibility'}[name]
    broken = torch.ones(2, 3)
    broken[1, 0] = float('nan')
    with pytest.raises(ValueError, match=f'1 {name} are NaN.*keypoint 0 of query 1'):
        evaluate(hand_sample(**{field: broken}))
    with pytest.raises(ValueError, match=rf'{name} must be \(Q, K\) = \(2, 3\), got'):
        evaluate(hand_sample(**{field: torch.ones(2, 3, 1)}))
