"""The layout head starts as the matcher, and what it learns keeps the invariances."""

from __future__ import annotations

import pytest
import torch
from tiny_cape import (
    make_episode,
    mixed_episodes,
    permute_keypoints,
    predict,
    prepare,
)
from tiny_matching import (
    LAYOUT,
    MATCHER,
    PLAIN,
    SIDE,
    build_matching,
    encode,
    open_gates,
)
from torch import Tensor, nn

from cape_mm.errors import ConfigError
from cape_mm.models import LayoutHead
from cape_mm.models.encoders.view_tokens import view_tokens
from cape_mm.models.estimators.samples import collect_targets
from cape_mm.models.layers import grid_points
from cape_mm.models.layers.views import view_images

PIXELS = 1e-3
"""Rounding of float32 in points of an image of 64 pixels."""

IDLE = {'pointer.correction.2.bias'}
"""Shifts all candidates of a keypoint alike, so nothing depends on it."""

in_all_modes = pytest.mark.parametrize('mode', LayoutHead.modes)


@pytest.fixture(scope='module')
def trained() -> nn.Module:
    """A model whose head has something to say; tests leave it alone."""
    model = build_matching()
    open_gates(model.head)
    return model


def losses_of(model: nn.Module, items: list[dict]) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return model(**prepare(model, items), mode='loss')


def assert_same(actual: list, expected: list) -> None:
    """Two lists of predictions agree in points and scores."""
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected):
        torch.testing.assert_close(one.keypoints, other.keypoints, atol=PIXELS, rtol=0)
        scores = one.keypoint_scores, other.keypoint_scores
        torch.testing.assert_close(*scores, atol=1e-4, rtol=0)


@in_all_modes
@pytest.mark.parametrize('num_shots', [1, 2])
def test_untrained_it_is_the_matcher(mode, num_shots):
    items = mixed_episodes(num_shots)
    expected = predict(build_matching(MATCHER), items, 'parallel')
    found = predict(build_matching(), items, mode)
    assert len(found) == len(expected) == 3
    for one, other in zip(found, expected):
        assert torch.equal(one.keypoints, other.keypoints)


@in_all_modes
def test_the_matchers_points_are_told_beside(trained, mode):
    context = encode(trained, mixed_episodes())
    found = trained.head.predict(context, mode)
    matcher = build_matching(MATCHER)
    assert torch.equal(found.matched, matcher.head.predict(context).points)
    assert (found.points - found.matched).abs().max() > 0.01


def test_modes_differ_once_trained(trained):
    context = encode(trained, mixed_episodes(2))
    points = [trained.head.predict(context, mode).points for mode in LayoutHead.modes]
    for index, one in enumerate(points):
        for other in points[:index]:
            assert (one - other).abs().max() > 1e-3


@in_all_modes
def test_permuting_keypoints_permutes_the_prediction(trained, mode):
    hidden = ((0, 1), (1, 1), (0, 3))  # 1 is unknown, 3 known from the second shot
    item = make_episode(4, 6, num_shots=2, support_hidden=hidden)
    order = [5, 3, 0, 4, 1, 2]
    (expected,) = predict(trained, [item], mode)
    (permuted,) = predict(trained, [permute_keypoints(item, order)], mode)
    points, scores = expected.keypoints, expected.keypoint_scores
    torch.testing.assert_close(
        permuted.keypoints, points[:, order], atol=PIXELS, rtol=0
    )
    torch.testing.assert_close(
        permuted.keypoint_scores, scores[:, order], atol=1e-4, rtol=0
    )


@in_all_modes
@pytest.mark.parametrize('num_shots', [1, 2])
def test_a_batch_equals_one_by_one(trained, mode, num_shots):
    """Mixed K, numbers of queries, skeletons and unknown keypoints."""
    items = mixed_episodes(num_shots)
    alone = [predict(trained, [item], mode)[0] for item in items]
    assert_same(predict(trained, items, mode), alone)
    assert_same(predict(trained, items[::-1], mode), alone[::-1])


@in_all_modes
def test_unknown_keypoints_are_in_the_centre_without_confidence(trained, mode):
    item = make_episode(0, 5, 2, 2, support_hidden=((0, 1), (1, 1), (0, 3)))
    found = trained.head.predict(encode(trained, [item]), mode)
    assert (found.points[:, 1] == 0.5).all() and (found.matched[:, 1] == 0.5).all()
    assert (found.scores[:, 1] == 0).all()
    assert (found.scores[:, [0, 2, 3, 4]] > 0).all()


@in_all_modes
def test_a_keypoint_is_taken_from_the_shots_that_show_it(trained, mode):
    """What a support says of a keypoint that it does not show changes nothing."""
    item = make_episode(0, 5, 2, 2, support_hidden=((0, 3), (1, 0)))
    expected = trained.head.predict(encode(trained, [item]), mode)
    context = encode(trained, [item])
    for tokens in context.tokens:
        tokens[:, 0, :, 3], tokens[:, 1, :, 0] = 0.123, -0.456
    context.points[:, 0, 3] = 0.9
    found = trained.head.predict(context, mode)
    torch.testing.assert_close(found.points, expected.points, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-4, rtol=0)
    for tokens in context.tokens:
        tokens[:, 1, :, 3] = tokens[:, 1, :, 3].flip(-1)
    other = trained.head.predict(context, mode).points
    assert (other[:, 3] - expected.points[:, 3]).abs().max() > 1e-3


@in_all_modes
def test_the_queries_labels_do_not_reach_the_prediction(trained, mode):
    item = make_episode(1, 5, 1, 3)
    (expected,) = predict(trained, [item], mode)
    labels = item['data_samples'].gt_instances
    labels.keypoints = labels.keypoints + 11
    labels.is_visible = ~labels.is_visible
    (found,) = predict(trained, [item], mode)
    assert_same([found], [expected])


@pytest.mark.parametrize('index', range(8))
def test_turning_a_support_equals_encoding_its_turned_image(trained, index):
    inputs = prepare(trained, [make_episode(0, 5, 2), make_episode(1, 5, 2)])['inputs']
    head = trained.head
    view = head.views[index]
    with torch.no_grad():
        context = trained.encode(inputs)
        turned = head.turn_supports(
            context, torch.tensor([True, False]), torch.tensor([index, 3])
        )
        points = (inputs.support_keypoints - 0.5) @ view.matrix().T + 0.5
        encoded = view_tokens(
            trained.extract_maps,
            view_images(inputs.support_images[0], view),
            points[0],
            head.views,
        )
    torch.testing.assert_close(turned.points[0], points[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(turned.points[1], context.points[1])
    for own, expected, before in zip(turned.tokens, encoded, context.tokens):
        # the places behind the keypoints are those of the image as it was
        torch.testing.assert_close(
            own[0, :, :, :5], expected[:, :, :5], atol=1e-3, rtol=0
        )
        assert torch.equal(own[1], before[1])


def test_every_parameter_learns():
    model = build_matching()
    open_gates(model.head).train()
    items = [make_episode(seed, 5, 2, num_queries=6) for seed in range(3)]
    losses = losses_of(model, items)
    names = ('heatmap', 'relation', 'pointer', 'offset', 'confidence')
    assert list(losses) == [f'loss_{name}' for name in names]
    assert all(torch.isfinite(loss) and loss > 0 for loss in losses.values())
    sum(losses.values()).backward()
    for name, weight in model.head.named_parameters():
        assert weight.grad is not None and torch.isfinite(weight.grad).all(), name
        assert weight.grad.any() or name in IDLE, name
    assert all(weight.grad is None for weight in model.backbone.parameters())


def test_a_new_head_opens_its_gates():
    """The start is no saddle: gates and the decoder's last layer have a gradient."""
    model = build_matching().train()
    sum(losses_of(model, mixed_episodes()).values()).backward()
    head = model.head
    gates = (head.rival_gate, head.view_gate, head.layout_gate, head.offset_gate)
    for gate in (*gates, head.pointer.correction[-1].weight):
        assert gate.grad.any()


def test_confidence_teaches_nothing_else():
    """The other losses are what they are without it."""
    gradients = []
    for weight in (0.0, 5.0):
        model = build_matching(LAYOUT | dict(loss_weights=dict(confidence=weight)))
        open_gates(model.head)
        sum(losses_of(model, mixed_episodes()).values()).backward()
        named = model.head.named_parameters()
        gradients.append(
            {n: p.grad for n, p in named if not n.startswith('confidence')}
        )
    torch.testing.assert_close(*gradients)


def test_halves_accumulate_to_the_whole():
    """Where nothing is drawn, the mean of the halves' losses is the whole batch's."""
    model = build_matching(LAYOUT | PLAIN)
    open_gates(model.head).train()
    hidden = ((0, 0), (0, 2), (1, 1))
    items = [
        make_episode(1, 5, 1, 2, query_hidden=hidden),
        make_episode(2, 5, 1, 2, support_hidden=((0, 4),)),
        make_episode(3, 6, 1, 2),
        make_episode(4, 5, 1, 2, query_hidden=((1, 4),)),
    ]
    whole = losses_of(model, items)
    halves = [losses_of(model, part) for part in (items[:2], items[2:])]
    for name, loss in whole.items():
        mean = (halves[0][name] + halves[1][name]) / 2
        torch.testing.assert_close(mean, loss, atol=1e-5, rtol=1e-5)


def test_labels_of_hidden_keypoints_do_not_count():
    model = build_matching(LAYOUT | PLAIN)
    open_gates(model.head)
    item = make_episode(1, 5, 1, 2, ((0, 4),), ((0, 0), (1, 2)))
    expected = losses_of(model, [item])
    labels = item['data_samples'].gt_instances
    for query, keypoint in ((0, 0), (1, 2), (0, 4), (1, 4)):
        labels.keypoints[query, keypoint] = 1.0
    torch.testing.assert_close(losses_of(model, [item]), expected)


def test_the_relation_is_learned_from_what_the_first_support_shows():
    model = build_matching(LAYOUT | PLAIN)
    open_gates(model.head)
    item = make_episode(1, 5, 2, 2, support_hidden=((0, 4), (1, 0)))
    batch = prepare(model, [item])
    context = model.encode(batch['inputs'])
    targets = collect_targets(batch['data_samples'], context.points.device)
    expected = model.head.loss(context, targets)
    context.points[:, 0, 4] = 0.9
    torch.testing.assert_close(model.head.loss(context, targets), expected)


@pytest.mark.parametrize('mode', ['ar', 'ar+refine'])
def test_every_step_sees_the_earlier_keypoints(trained, mode):
    """The known ones, never itself; at the end all the others."""
    item = make_episode(0, 6, 1, 2, support_hidden=((0, 2),))
    context = encode(trained, [item])
    seen = []
    hook = trained.head.pointer.register_forward_pre_hook(
        lambda _, args: seen.append(args[4])
    )
    with torch.no_grad():
        trained.head.predict(context, mode)
    hook.remove()
    steps, last = (seen[:5], seen[5:])
    assert len(last) == (mode == 'ar+refine')
    for step, is_seen in enumerate(steps):
        assert (is_seen.sum(dim=-1) == step).all() and not is_seen[..., 2].any()
        assert step == 0 or (is_seen | ~steps[step - 1]).all()  # none is forgotten
    if last:
        expected = ~torch.eye(6, dtype=torch.bool)
        expected[:, 2] = False
        assert (last[0] == expected).all()


def test_nothing_to_score_costs_nothing():
    model = build_matching()
    everything = tuple((0, keypoint) for keypoint in range(5))
    item = make_episode(1, 5, 1, 1, query_hidden=everything)
    losses = losses_of(model, [item])
    assert all(loss == 0 for loss in losses.values())


def test_turned_supports_change_the_loss_and_its_data():
    """With ``turn_prob=1`` the layout is judged against the turned points."""
    items = [make_episode(1, 5, 1, 2)]
    losses = []
    for probability in (0.0, 1.0):
        head = LAYOUT | PLAIN | dict(turn_prob=probability)
        model = build_matching(head)
        open_gates(model.head)
        losses.append(losses_of(model, items)['loss_relation'])
    assert (losses[0] - losses[1]).abs() > 1e-3


def test_calibration_scales_the_confidence():
    model = build_matching()
    context = encode(model, [make_episode(0)])
    plain = model.head.predict(context, 'ar')
    model.head.calibration.copy_(torch.tensor([0.5, -1.0]))
    calibrated = model.head.predict(context, 'ar')
    assert torch.equal(calibrated.points, plain.points)
    expected = (0.5 * plain.scores.logit() - 1).sigmoid()
    torch.testing.assert_close(calibrated.scores, expected)


def test_the_likeliest_layout_says_where_to_look():
    """Of one relation: a Gaussian around each of its points, over a floor."""
    model = build_matching(LAYOUT | dict(num_relations=1))
    head = open_gates(model.head)
    with torch.no_grad():
        head.fit_cost.zero_()
        reasoning = head.reason(encode(model, [make_episode(0)]))
    weighed = reasoning.stiff - reasoning.similarity / head.log_temperature.exp()
    cells = grid_points(SIDE, SIDE, weighed.device)
    gaps = cells - reasoning.layout.points[:, :, None]
    bumps = (-gaps.square().sum(-1) / (2 * head.log_layout_width.exp() ** 2)).exp()
    expected = (bumps + head.log_layout_floor.exp()).log()
    torch.testing.assert_close(
        weighed / head.layout_gate, expected, atol=1e-3, rtol=1e-4
    )


def test_settling_stays_near_the_cell(trained):
    context = encode(trained, [make_episode(0)])
    head = trained.head
    reasoning = head.reason(context)
    centres = reasoning.candidates.points[:, :, 0]
    moved = head.settle(reasoning.finer, centres)
    away = (moved - centres).abs()
    assert 1e-4 < away.max() < 2 / head.side
    closed = build_matching().head
    assert torch.equal(closed.settle(reasoning.finer, centres), centres)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_candidates=0), 'num_candidates'),
        (dict(num_relations=0), 'num_relations'),
        (dict(num_turns=0), 'num_turns'),
        (dict(turn_prob=1.5), 'turn_prob'),
        (dict(random_order_prob=-0.1), 'random_order_prob'),
        (dict(loss_weights=dict(heat=1.0)), "loss_weights.*'heat'"),
        (dict(prefix_mix=dict(truth=1.0)), "prefix_mix.*'truth'"),
    ],
)
def test_what_can_not_be(options, message):
    with pytest.raises(ConfigError, match=f'model.head: .*{message}'):
        build_matching(LAYOUT | options)
