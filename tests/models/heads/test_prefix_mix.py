"""The training history: truth, proposals, hidden entries, and what never enters."""

from __future__ import annotations

import pytest
import torch

from cape_mm.models.heads import QueryTargets
from cape_mm.models.heads.prefix_mix import PrefixMix

NUM = 300


@pytest.fixture
def proposals(rng):
    return torch.rand(NUM, 4, 2, generator=rng)


@pytest.fixture
def targets(rng):
    is_visible = torch.rand(NUM, 4, generator=rng) < 0.7
    return QueryTargets(torch.rand(NUM, 4, 2, generator=rng), is_visible)


def test_pure_truth_where_visible_and_proposals_elsewhere(rng, proposals, targets):
    mix = PrefixMix(truth_prob=1.0, noise_std=0.0, drop_prob=0.0)
    history = mix(proposals, targets, rng)
    is_visible = targets.is_visible
    assert torch.equal(history.points[is_visible], targets.points[is_visible])
    assert torch.equal(history.points[~is_visible], proposals[~is_visible])
    assert not history.is_unknown.any()


def test_without_truth_all_history_is_the_models_own(rng, proposals, targets):
    history = PrefixMix(truth_prob=0.0, drop_prob=0.0)(proposals, targets, rng)
    assert torch.equal(history.points, proposals)


def test_truth_of_an_invisible_keypoint_never_enters(proposals, targets):
    hidden = ~targets.is_visible[..., None]
    garbage = targets.points.masked_fill(hidden, float('nan'))
    mix, histories = PrefixMix(truth_prob=0.8), []
    for points in (targets.points, garbage):
        generator = torch.Generator().manual_seed(1)
        labels = QueryTargets(points, targets.is_visible)
        histories.append(mix(proposals, labels, generator))
    assert torch.equal(histories[0].points, histories[1].points)
    assert torch.isfinite(histories[1].points).all()


def test_share_of_true_rows_and_of_hidden_entries(rng, proposals, targets):
    mix = PrefixMix(truth_prob=0.5, noise_std=0.0, drop_prob=0.25)
    history = mix(proposals, targets, rng)
    is_true = (history.points == targets.points).all(dim=-1) & targets.is_visible
    rows = targets.is_visible.any(dim=1)
    assert is_true.any(dim=1)[rows].float().mean().item() == pytest.approx(0.5, abs=0.1)
    # a row is all truth or all proposals
    assert torch.equal(is_true.any(dim=1, keepdim=True) & targets.is_visible, is_true)
    assert history.is_unknown.float().mean().item() == pytest.approx(0.25, abs=0.05)


def test_noise_has_the_stated_width_and_stays_in_the_crop(rng, proposals, targets):
    middle = QueryTargets(torch.full((NUM, 4, 2), 0.5), torch.ones(NUM, 4) > 0)
    mix = PrefixMix(truth_prob=1.0, noise_std=0.02, drop_prob=0.0)
    noise = mix(proposals, middle, rng).points - 0.5
    assert noise.std().item() == pytest.approx(0.02, rel=0.1)
    corner = QueryTargets(torch.ones(NUM, 4, 2), middle.is_visible)
    points = mix(proposals, corner, rng).points
    assert points.max() == 1 and points.min() > 0.8


def test_history_carries_no_gradient(rng, proposals, targets):
    history = PrefixMix()(proposals.requires_grad_(), targets, rng)
    assert not history.points.requires_grad
