"""Labels of a batch: padded, and by query."""

from __future__ import annotations

import torch
from tiny_cape import make_episode, prepare

from cape_mm.models.estimators.samples import collect_targets, fill_predictions
from cape_mm.models.heads import Prediction


def targets_of(model, items):
    batch = prepare(model, items)
    return collect_targets(batch['data_samples'], torch.device('cpu'))


def test_a_row_per_query_and_none_for_a_dropped_episode(cape):
    hidden = make_episode(1, 5, 1, 2, query_hidden=((1, 3),))
    items = [hidden, make_episode(num_queries=0), make_episode(2, 6, 1, 1)]
    targets = targets_of(cape, items)
    assert targets.points.shape == (3, 6, 2)
    assert targets.is_visible.sum(dim=1).tolist() == [5, 4, 6]
    assert not targets.points[~targets.is_visible].any()
    first = hidden['data_samples'].gt_instances.keypoints[0]
    torch.testing.assert_close(targets.points[0, :5] * 64 - 0.5, first)


def test_points_of_a_matcher_reach_the_source_image_as_those_of_the_head():
    items = [make_episode(1, 5, 1, 2), make_episode(2, 6, 1, 1)]
    samples = [item['data_samples'] for item in items]
    points = torch.rand(3, 6, 2, generator=torch.Generator().manual_seed(0))
    scores = points[..., 0]
    fill_predictions(samples, Prediction(points.flip(-1), scores, None, points))
    matched = [sample.pred_instances.matched_keypoints_orig for sample in samples]
    fill_predictions(samples, Prediction(points, scores))
    for sample, found in zip(samples, matched, strict=True):
        assert torch.equal(found, sample.pred_instances.keypoints_orig)
        assert 'matched_keypoints_orig' not in sample.pred_instances
