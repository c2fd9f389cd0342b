"""Losses by hand."""

from __future__ import annotations

import math

import pytest
import torch

from cape_mm.models.layers.heatmap import gaussian_target
from cape_mm.models.losses import coordinate_l1, heatmap_cross_entropy, mean_over_pairs


def test_mean_is_over_keypoints_then_over_pairs():
    """(1 + 3) / 2 = 2 and 10: their mean is 6; over all keypoints it would be 14/3."""
    values = torch.tensor([[1.0, 3.0, 99.0], [10.0, 99.0, 99.0]])
    is_scored = torch.tensor([[True, True, False], [True, False, False]])
    assert mean_over_pairs(values, is_scored).item() == 6


def test_pair_without_a_scored_keypoint_adds_zero_but_counts():
    values = torch.tensor([[4.0, 8.0], [float('nan'), float('inf')]])
    is_scored = torch.tensor([[True, True], [False, False]])
    assert mean_over_pairs(values, is_scored).item() == 3
    assert mean_over_pairs(values, torch.zeros_like(is_scored)).item() == 0


def test_mean_of_micro_batches_is_the_mean_of_the_batch(rng):
    values = torch.rand(8, 5, generator=rng, dtype=torch.float64)
    is_scored = torch.rand(8, 5, generator=rng) < 0.5
    parts = [
        mean_over_pairs(*part) for part in zip(values.split(2), is_scored.split(2))
    ]
    whole = mean_over_pairs(values, is_scored)
    torch.testing.assert_close(torch.stack(parts).mean(), whole)


def test_l1_by_hand():
    predicted = torch.tensor([[[0.1, 0.2], [0.5, 0.5]]])
    truth = torch.tensor([[[0.3, 0.1], [0.0, 0.0]]])
    is_scored = torch.tensor([[True, False]])
    assert coordinate_l1(predicted, truth, is_scored).item() == pytest.approx(0.3)


def test_cross_entropy_of_a_flat_map_is_the_log_of_its_size():
    loss = heatmap_cross_entropy(
        torch.zeros(1, 1, 4, 8), torch.full((1, 1, 2), 0.3), torch.ones(1, 1) > 0, 1.0
    )
    assert loss.item() == pytest.approx(math.log(32))


def test_cross_entropy_is_lowest_at_the_target(rng):
    """There it is the target's entropy, and its gradient is zero."""
    truth, is_scored = torch.rand(2, 3, 2, generator=rng), torch.ones(2, 3) > 0
    target = gaussian_target(truth, (8, 8), 1.0)
    logits = target.log().view(2, 3, 8, 8).requires_grad_()
    loss = heatmap_cross_entropy(logits, truth, is_scored, 1.0)
    loss.backward()
    entropy = -(target * target.log()).sum(-1).mean()
    torch.testing.assert_close(loss.detach(), entropy)
    assert logits.grad.abs().max() < 1e-6
    moved = torch.randn(logits.shape, generator=rng) + logits.detach()
    assert heatmap_cross_entropy(moved, truth, is_scored, 1.0) > entropy


def test_unscored_keypoints_get_no_gradient(rng):
    logits = torch.randn(1, 2, 4, 4, generator=rng, requires_grad=True)
    truth = torch.tensor([[[0.4, 0.4], [1e6, -1e6]]])
    is_scored = torch.tensor([[True, False]])
    heatmap_cross_entropy(logits, truth, is_scored, 1.0).backward()
    assert logits.grad[0, 0].any()
    assert not logits.grad[0, 1].any()
