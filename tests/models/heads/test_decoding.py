"""Passes over all keypoints meet what cached steps find, and stop in time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_cape import build_autoregressive_head as make_head

from cape_mm.models.heads import EpisodeContext
from cape_mm.models.heads.decoding import (
    TOLERANCE,
    decode_in_passes,
    decode_in_steps,
)

SIZE = 6
KEYS = ('logits', 'points', 'scores')
MODES = ('ar', 'ar+refine')


def take_rows(context, rows):
    parts = (tensor[rows] for tensor in context.tensors())
    return EpisodeContext(*parts, context.num_steps)


def prepare(head, context):
    """Arguments that both ways share."""
    proposal = head.propose(context)
    order = head._test_order(context, proposal)
    return head.decoder, head._search, context, proposal.points, order


def count_passes(head, monkeypatch):
    """Points of every pass from now on."""
    given, answer = [], head.decoder.answer

    def record(inputs, fine_map, emitted):
        given.append(emitted.points)
        return answer(inputs, fine_map, emitted)

    monkeypatch.setattr(head.decoder, 'answer', record)
    return given


def assert_same(one, other, is_known, atol):
    torch.testing.assert_close(one[0][is_known], other[0][is_known], atol=atol, rtol=0)
    for key in KEYS:
        first, second = (getattr(found[1], key)[is_known] for found in (one, other))
        torch.testing.assert_close(first, second, atol=atol, rtol=0)


@pytest.mark.parametrize('use_proposals', [True, False])
@torch.no_grad()
def test_passes_meet_the_steps_from_any_guess(context, rng, use_proposals):
    head = make_head(use_proposals=use_proposals)
    arguments = list(prepare(head, context))
    arguments[3] = arguments[3] if use_proposals else None
    steps = decode_in_steps(*arguments)
    for _ in range(3):
        guess = torch.rand(3, SIZE, 2, generator=rng)
        passes = decode_in_passes(*arguments, guess, tolerance=0)
        assert_same(passes, steps, context.is_known, atol=1e-6)


@torch.no_grad()
def test_the_first_points_are_final_after_as_many_passes(context, rng, monkeypatch):
    """Why there are never more passes than steps."""
    head = make_head()
    arguments = prepare(head, context)
    found = decode_in_steps(*arguments)[1].points
    found = found.gather(1, arguments[-1][..., None].expand(-1, -1, 2))
    given = count_passes(head, monkeypatch)
    guess = torch.rand(3, SIZE, 2, generator=rng)
    decode_in_passes(*arguments, guess, tolerance=-1)
    assert len(given) == context.num_steps == 5
    for index, points in enumerate(given):
        for row, known in enumerate(context.is_known.sum(dim=1)):
            end = min(index, int(known))
            torch.testing.assert_close(points[row, :end], found[row, :end])
    assert (given[1][:, 2:] - found[:, 2:5]).abs().max() > 0.01


@torch.no_grad()
def test_an_untrained_decoder_settles_at_once(context, monkeypatch):
    head = make_head(fill=False, test_decoding='passes')
    given = count_passes(head, monkeypatch)
    proposed, decoded = (head.predict(context, mode) for mode in ('parallel', 'ar'))
    torch.testing.assert_close(tuple(decoded), tuple(proposed))
    assert len(given) == 1


@torch.no_grad()
def test_a_row_stops_where_it_would_alone(context, monkeypatch):
    """A loose tolerance: going on for the neighbours' sake would move the points."""
    head = make_head()
    arguments = prepare(head, context)
    together = decode_in_passes(*arguments, arguments[3], tolerance=0.3)
    strict = decode_in_passes(*arguments, arguments[3], tolerance=0)
    given = count_passes(head, monkeypatch)
    counts = set()
    for row in range(3):
        given.clear()
        alone = prepare(head, take_rows(context, [row]))
        single = decode_in_passes(*alone, alone[3], tolerance=0.3)
        counts.add(len(given))
        known = context.is_known[row]
        torch.testing.assert_close(together[0][row, known], single[0][0, known])
        for key in KEYS:
            mine, other = (getattr(found[1], key) for found in (together, single))
            torch.testing.assert_close(mine[row, known], other[0, known])
    assert len(counts) > 1, 'all rows stop together: nothing was tested'
    assert (together[1].points - strict[1].points).abs().max() > 1e-3


@pytest.mark.parametrize('mode', MODES)
@torch.no_grad()
def test_predictions_are_those_of_the_steps(context, mode, monkeypatch):
    """And the passes are what a CPU takes where nothing is said."""
    by_steps, by_passes = make_head(test_decoding='steps'), make_head()
    one = by_steps.predict(context, mode)
    given = count_passes(by_passes, monkeypatch)
    other = by_passes.predict(context, mode)
    assert given and by_passes.capturable
    for first, second in zip(one, other):
        torch.testing.assert_close(first, second, atol=10 * TOLERANCE, rtol=0)
    assert (other.points[~context.is_known] == 0.5).all()
    assert (other.scores[~context.is_known] == 0).all()


@torch.no_grad()
def test_points_that_are_not_finite_end_after_the_last_pass(context, monkeypatch):
    head = make_head(test_decoding='passes')
    given = count_passes(head, monkeypatch)
    broken = replace(context, query_tokens=context.query_tokens * float('nan'))
    head.predict(broken, 'ar')
    assert len(given) <= context.num_steps


@torch.no_grad()
def test_passes_are_taken_only_where_asked_for(context, monkeypatch):
    """And are never recorded as a CUDA graph, which can't decide that it is done."""
    for way in ('steps', 'passes'):
        head = make_head(test_decoding=way)
        given = count_passes(head, monkeypatch)
        head.predict(context, 'ar')
        assert bool(given) == (way == 'passes')
        assert head.capturable == (way == 'steps')


@pytest.mark.parametrize(('autocast', 'num_passes'), [(False, 5), (True, 1)])
@torch.no_grad()
def test_half_precision_settles_for_less(context, autocast, num_passes):
    """Its rounding would keep the points moving for ever."""
    head = make_head().float()
    parts = (t.float() if t.is_floating_point() else t for t in context.tensors())
    decoder, search, whole, proposals, order = prepare(
        head, EpisodeContext(*parts, context.num_steps)
    )
    guess = torch.full_like(proposals, 0.3)
    calls = []

    def creep(*args):
        """Every pass moves every point by 0.0005."""
        calls.append(args)
        tokens, found = search(*args)
        return tokens, replace(found, points=found.points * 0 + 0.3 + 5e-4 * len(calls))

    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        decode_in_passes(decoder, creep, whole, proposals, order, guess)
    assert len(calls) == num_passes
