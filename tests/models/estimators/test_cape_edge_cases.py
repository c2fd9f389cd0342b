"""Inputs at the edge: one keypoint, no edges, nothing visible, not a number."""

import pytest
import torch
from tiny_cape import build_cape, make_episode, predict, prepare

from cape_mm.errors import EmptyAnnotationError, NonFinitePredictionError
from cape_mm.models import AutoregressiveHead

in_all_modes = pytest.mark.parametrize('mode', AutoregressiveHead.modes)


@pytest.fixture(scope='module')
def cape():
    return build_cape()


@in_all_modes
def test_a_single_keypoint(cape, mode):
    item = make_episode(1, num_keypoints=1)
    (prediction,) = predict(cape, [item], mode)
    assert prediction.keypoints.shape[1:] == (1, 2)
    assert prediction.keypoints.isfinite().all()


def test_one_keypoint_and_no_edges_can_be_trained(cape):
    cape.train()
    data = prepare(cape, [make_episode(1, num_keypoints=1)])
    losses = cape(**data, mode='loss')
    assert all(loss.isfinite() for loss in losses.values())


def test_support_that_shows_nothing_is_refused(cape):
    item = make_episode(1)
    item['data_samples'].support_instances.is_visible.zero_()
    with pytest.raises(EmptyAnnotationError, match='category .* shows no keypoint'):
        prepare(cape, [make_episode(2), item])


def test_prediction_that_is_no_number_is_refused():
    cape = build_cape()
    with torch.no_grad():
        cape.backbone.conv1.weight.fill_(float('nan'))
    with pytest.raises(NonFinitePredictionError, match='2 of 2 queries of category'):
        predict(cape, [make_episode(1, num_queries=2)], 'ar')
