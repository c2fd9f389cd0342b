"""The head as a whole: proposals, steps, unknown keypoints, losses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_cape import PLAIN_PREFIX
from tiny_cape import build_autoregressive_head as make_head

from cape_mm.models.heads import AutoregressiveHead, QueryTargets
from cape_mm.models.heads.autoregressive_head import TEST_DECODINGS
from cape_mm.models.heads.decode_order import skeleton_order, take_in_order
from cape_mm.models.heads.prefix_mix import History

SIZE = 6
MODES = AutoregressiveHead.modes
KEYS = ('logits', 'points', 'scores')


@pytest.fixture
def targets(rng):
    is_visible = torch.rand(3, SIZE, generator=rng) < 0.7
    return QueryTargets(torch.rand(3, SIZE, 2, generator=rng), is_visible)


def record_steps(head, monkeypatch):
    """The answer of every decoder step from now on."""
    answers, step = [], head.decoder.step
    monkeypatch.setattr(
        head.decoder, 'step', lambda *args: answers.append(step(*args)) or answers[-1]
    )
    return answers


@torch.no_grad()
def test_filled_decoder_does_not(context):
    """The fixture of all other tests is worth something."""
    head, known = make_head(), context.is_known
    by_mode = [head.predict(context, mode)[0][known] for mode in MODES]
    assert (by_mode[1] - by_mode[0]).abs().mean() > 0.05
    assert (by_mode[2] - by_mode[1]).abs().mean() > 0.01


@torch.no_grad()
def test_one_step_per_known_keypoint(context, monkeypatch):
    head = make_head(test_decoding='steps')
    answers = record_steps(head, monkeypatch)
    head.predict(context, 'ar')
    assert len(answers) == context.is_known.sum(dim=1).max() == 5
    answers.clear()
    head.predict(context, 'parallel')
    assert not answers


@torch.no_grad()
def test_cached_decoding_equals_the_full_pass_at_every_step(context, monkeypatch):
    """Answers and points of all steps, given the history that decoding emitted."""
    head = make_head()
    answers = record_steps(head, monkeypatch)
    proposal = head.propose(context)
    order = skeleton_order(context.hops, proposal.scores, context.is_known)
    tokens, found = head.decode(context, proposal.points, order)
    emitted = History(found.points, torch.zeros_like(context.is_known))
    full = take_in_order(head.decoder(context, proposal.points, emitted, order), order)
    full_tokens, refined = head.refine(context, proposal.points, emitted, order)
    pairs = [(tokens, full_tokens)]
    pairs += [(getattr(found, key), getattr(refined, key)) for key in KEYS]
    for index, answer in enumerate(answers):
        expected = full[:, index : index + 1]
        torch.testing.assert_close(answer, expected, atol=1e-10, rtol=0)
        keypoint = order[:, index : index + 1]
        for actual, other in pairs:
            torch.testing.assert_close(
                take_in_order(actual, keypoint),
                take_in_order(other, keypoint),
                atol=1e-6,
                rtol=0,
            )
    assert len(answers) == 5


@pytest.mark.parametrize('mode', MODES)
@torch.no_grad()
def test_unknown_keypoints_get_the_centre_and_score_0(context, mode):
    points, scores, visibility, _ = make_head().predict(context, mode)
    known = context.is_known
    assert (visibility[~known] == 0).all() and (visibility[known] > 0).all()
    assert (points[~known] == 0.5).all()
    assert (scores[~known] == 0).all()
    assert (scores[known] > 0).all() and (scores <= 1).all()
    assert not (points[known] == 0.5).any()
    assert points.dtype == scores.dtype == torch.float32


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('way', TEST_DECODINGS)
@torch.no_grad()
def test_no_known_keypoint_at_all(context, mode, way):
    empty = replace(context, is_known=context.is_known & False, num_steps=0)
    head = make_head(test_decoding=way)
    points, scores, visibility, _ = head.predict(empty, mode)
    assert (points == 0.5).all() and (scores == 0).all() and (visibility == 0).all()


def test_read_finds_the_cell_that_is_like_the_token():
    """The similarity is a scaled dot product: checked against one made by hand."""
    head = make_head()
    tokens, fine_map = torch.randn(1, 2, 16), torch.randn(1, 16, 4, 8)
    tokens, fine_map = tokens.double(), fine_map.double()
    sought = head.readout.project(head.readout.norm(tokens))
    fine_map[0, :, 1, 6] = sought[0, 1].detach() * 50
    estimate = head.readout(tokens, fine_map)
    expected = sought[0, 1] @ fine_map[0, :, 3, 2] / 4
    torch.testing.assert_close(estimate.logits[0, 1, 3, 2], expected)
    torch.testing.assert_close(
        estimate.points[0, 1].detach(), torch.tensor([6.5 / 8, 1.5 / 4])
    )


def plain_losses(context, targets, head=None):
    """Losses without chance."""
    torch.manual_seed(0)
    head = head or make_head(prefix_mix=PLAIN_PREFIX, random_order_prob=0)
    return {key: loss.item() for key, loss in head.loss(context, targets).items()}


def test_loss_weights_scale_the_losses(context, targets):
    plain = plain_losses(context, targets)
    assert set(plain) == {
        f'loss_{stage}_{kind}'
        for stage in ('proposal', 'decoder')
        for kind in ('heatmap', 'coordinate')
    } | {'loss_confidence', 'loss_visibility'}
    torch.manual_seed(0)
    head = make_head(
        prefix_mix=PLAIN_PREFIX,
        random_order_prob=0,
        loss_weights=dict(heatmap=2.0, coordinate=0.5, confidence=0.3, visibility=0.4),
    )
    weighted = plain_losses(context, targets, head)
    factors = dict(heatmap=2.0, coordinate=0.1, confidence=3.0, visibility=4.0)
    for key, value in plain.items():
        factor = factors[key.split('_')[-1]]
        assert weighted[key] == pytest.approx(factor * value, rel=1e-5)


def test_only_keypoints_visible_on_both_sides_are_scored(context, targets):
    is_scored = targets.is_visible & context.is_known
    moved = targets.points.masked_fill(is_scored[..., None], 0) + 0.3
    points = torch.where(is_scored[..., None], targets.points, moved.clamp(0, 1))
    plain = plain_losses(context, targets)
    assert plain_losses(context, QueryTargets(points, targets.is_visible)) == plain
    nothing = QueryTargets(points, torch.zeros_like(is_scored))
    unscored = plain_losses(context, nothing)
    assert unscored.pop('loss_visibility') > 0  # that nothing shows can be learned
    assert set(unscored.values()) == {0.0}
    scored = QueryTargets(1 - targets.points, targets.is_visible)
    assert plain_losses(context, scored) != plain


def test_truth_reaches_later_answers_through_the_history(context, targets):
    """Teacher forcing is on: moving one truth moves other keypoints' loss."""
    head = make_head(prefix_mix=PLAIN_PREFIX, random_order_prob=0)
    proposal = head.propose(context)
    order = skeleton_order(context.hops, proposal.scores, context.is_known)
    first = order[0, 0].item()
    visible = torch.zeros_like(targets.is_visible)
    visible[0, order[0, 1]] = True
    losses = []
    for shown in (False, True):
        visible[0, first] = shown
        emitted = head.prefix_mix(
            proposal.points, QueryTargets(targets.points, visible)
        )
        start = proposal.points.detach()
        losses.append(
            head.refine(context, start, emitted, order)[1].logits[0, order[0, 1]]
        )
    assert (losses[0] - losses[1]).abs().max() > 1e-3
