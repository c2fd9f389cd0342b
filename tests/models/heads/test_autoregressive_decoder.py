"""The decoder's two token streams: causality, and what may look at what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_cape import LOW_DTYPES, fill_zero_weights

from cape_mm.models.heads.autoregressive_decoder import (
    AutoregressiveDecoder,
)
from cape_mm.models.heads.decode_order import take_in_order
from cape_mm.models.heads.prefix_mix import History

NUM, SIZE = 3, 6


@pytest.fixture
def decoder():
    return make_decoder(num_layers=2)


def make_decoder(num_layers):
    layer = AutoregressiveDecoder(16, num_layers, num_heads=2).double()
    fill_zero_weights(layer)
    return layer


@pytest.fixture
def order(rng, context):
    """Random, unknown keypoints last."""
    rank = torch.rand(NUM, SIZE, generator=rng) + ~context.is_known
    return rank.argsort(dim=1)


@pytest.fixture
def points(rng):
    """Proposals and emitted points."""
    return torch.rand(2, NUM, SIZE, 2, generator=rng)


def told(points, hidden=None):
    hidden = (
        torch.zeros(points.shape[:2], dtype=torch.bool) if hidden is None else hidden
    )
    return History(points, hidden)


@torch.no_grad()
def run(decoder, context, points, order, **kwargs):
    return decoder(context, points[0], told(points[1]), order, **kwargs)


def test_answers_depend_on_earlier_history_only(decoder, context, points, order):
    """Also on no later question: a change at position t shows after t alone."""
    before = take_in_order(run(decoder, context, points, order), order)
    for position in range(SIZE):
        changed = points.clone()
        rows = torch.arange(NUM)
        changed[1, rows, order[:, position]] = 1 - changed[1, rows, order[:, position]]
        after = take_in_order(run(decoder, context, changed, order), order)
        is_changed = (after - before).abs().amax(dim=-1) > 1e-9
        assert not is_changed[:, : position + 1].any()
        assert is_changed[:, position + 1 :].all()


def test_a_question_is_nobody_elses_business(decoder, context, points, order):
    """A proposal reaches the answer of its own keypoint only."""
    before = run(decoder, context, points, order)
    changed = points.clone()
    changed[0, :, 2] = 1 - changed[0, :, 2]
    is_changed = (run(decoder, context, changed, order) - before).abs().amax(-1) > 1e-9
    assert is_changed.tolist() == [[False, False, True, False, False, False]] * NUM


def test_hidden_history_does_not_tell_its_point(decoder, context, points, order):
    hidden = torch.zeros(NUM, SIZE, dtype=torch.bool)
    hidden[torch.arange(NUM), order[:, 0]] = True
    other = points[1].masked_fill(hidden[..., None], 0.123)
    with torch.no_grad():
        one = decoder(context, points[0], told(points[1], hidden), order)
        two = decoder(context, points[0], told(other, hidden), order)
    assert torch.equal(one, two)
    assert not torch.equal(one, run(decoder, context, points, order))


def test_refinement_sees_all_other_known_keypoints(context, points, order):
    """With one layer: with more, own history comes back through others' history."""
    decoder = make_decoder(num_layers=1)
    before = run(decoder, context, points, order, sees_all=True)
    for keypoint in range(SIZE):
        changed = points.clone()
        changed[1, :, keypoint] = 1 - changed[1, :, keypoint]
        after = run(decoder, context, changed, order, sees_all=True)
        is_changed = (after - before).abs().amax(dim=-1) > 1e-9
        expected = context.is_known[:, keypoint, None].repeat(1, SIZE)
        expected[:, keypoint] = False
        assert torch.equal(is_changed, expected)


@pytest.mark.parametrize('sees_all', [False, True])
def test_the_skeleton_matters(decoder, context, points, order, sees_all):
    other = replace(context, hops=context.hops.roll(1, dims=0))
    one = run(decoder, context, points, order, sees_all=sees_all)
    two = run(decoder, other, points, order, sees_all=sees_all)
    assert (one - two).abs().amax(dim=(1, 2)).min() > 1e-3


@pytest.mark.parametrize('dtype', LOW_DTYPES)
def test_rows_without_a_known_keypoint_stay_finite(context, points, order, dtype):
    """In refinement such a row's question sees nothing but itself."""
    decoder = make_decoder(num_layers=2).to(dtype)
    low = replace(
        context,
        keypoint_tokens=context.keypoint_tokens.to(dtype),
        query_tokens=context.query_tokens.to(dtype),
        fine_map=context.fine_map.to(dtype),
        is_known=torch.zeros_like(context.is_known),
    )
    for sees_all in (False, True):
        answers = run(decoder, low, points, order, sees_all=sees_all)
        assert torch.isfinite(answers).all()
