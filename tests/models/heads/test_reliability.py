"""Confidence and visibility: what they learn from, and what they can't touch."""

import pytest
import torch
from tiny_cape import random_context

from cape_mm.models.heads import Estimate, QueryTargets
from cape_mm.models.heads.reliability import Reliability

SIZE = 5


@pytest.fixture
def context(rng):
    is_known = torch.ones(2, SIZE, dtype=torch.bool)
    is_known[1, 3] = False
    return random_context(rng, ([(0, 1), (1, 2)], [(3, 4)]), is_known)


@pytest.fixture
def found(rng):
    points = torch.rand(2, SIZE, 2, generator=rng)
    scores = torch.rand(2, SIZE, generator=rng)
    return Estimate(torch.zeros(2, SIZE, 4, 4), points, scores)


def make(**kwargs):
    torch.manual_seed(0)
    return Reliability(16, **kwargs).double()


def losses(layer, context, found, points, is_visible):
    targets = QueryTargets(points, is_visible)
    tokens = context.keypoint_tokens
    return layer.loss(context, tokens, found, found, targets)


def test_confidence_learns_what_the_model_gets_right(context, found):
    """Trained on one batch, it tells right points from wrong ones."""
    layer, everything = make(), torch.ones(2, SIZE, dtype=torch.bool)
    is_right = torch.arange(SIZE) % 2 == 0
    points = torch.where(is_right[:, None], found.points + 0.05, found.points + 0.3)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        sum(losses(layer, context, found, points, everything).values()).backward()
        optimizer.step()
    scores = layer.judge(context, context.keypoint_tokens, found, found).scores
    known = context.is_known
    assert scores[known & is_right].min() > 0.9
    assert scores[known & ~is_right].max() < 0.1
    assert (scores[~known] == 0).all()


def test_radius_decides_what_is_right(context, found):
    is_visible = torch.ones(2, SIZE, dtype=torch.bool)
    points = found.points + torch.tensor([0.1, 0.0])
    near, far = (
        losses(make(correct_radius=radius), context, found, points, is_visible)
        for radius in (0.11, 0.09)
    )
    layer, tokens = make(), context.keypoint_tokens
    logits = layer(context, tokens, found, found)[0]
    known = context.is_known
    rows = known.sum(dim=1)
    for got, sign in ((near, -1), (far, 1)):
        entropy = torch.nn.functional.softplus(sign * logits).masked_fill(~known, 0)
        expected = 0.1 * (entropy.sum(dim=1) / rows).mean()
        torch.testing.assert_close(got['loss_confidence'], expected)


def test_confidence_can_not_move_the_points(context, found):
    tokens = context.keypoint_tokens.clone().requires_grad_()
    points = found.points.clone().requires_grad_()
    layer = make()
    estimate = Estimate(found.logits, points, found.scores)
    confidence, visibility = layer(context, tokens, estimate, estimate)
    confidence.sum().backward()
    assert tokens.grad is None and points.grad is None
    visibility.sum().backward()
    assert tokens.grad.abs().max() > 0


def test_visibility_is_scored_on_known_keypoints_only(context, found):
    is_visible = torch.zeros(2, SIZE, dtype=torch.bool)
    is_visible[0, 1] = True
    plain = losses(make(), context, found, found.points, is_visible)
    is_visible[1, 3] = True  # no support shows it
    again = losses(make(), context, found, found.points, is_visible)
    assert plain['loss_visibility'] == again['loss_visibility']
    is_visible[1, 2] = True
    other = losses(make(), context, found, found.points, is_visible)
    assert plain['loss_visibility'] != other['loss_visibility']
