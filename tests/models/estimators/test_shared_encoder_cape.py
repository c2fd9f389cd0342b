"""The peers' heads in the frame: batches, shots, losses, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from mmpose.registry import MODELS
from tiny_cape import (
    compute_loss,
    make_context,
    make_episode,
    mixed_episodes,
    permute_keypoints,
    predict,
    prepare,
)
from tiny_peers import PEERS, build_peer, peer_config

from cape_mm.errors import ConfigError

every_head = pytest.mark.parametrize('head', PEERS)


def found(model, items):
    return [part.keypoints for part in predict(model, items, 'parallel')]


@every_head
def test_batch_equals_one_by_one(head):
    """Every sample is decoded with its own support, graph and number of keypoints."""
    model = build_peer(head)
    for item, together in zip(mixed_episodes(), found(model, mixed_episodes())):
        (alone,) = found(model, [item])
        torch.testing.assert_close(alone, together, atol=1e-4, rtol=0)


@every_head
def test_features_kept_give_the_same(head):
    model = build_peer(head).eval()
    item = make_episode(1, 6, num_shots=2, support_hidden=((1, 2),))
    inputs = prepare(model, [item])['inputs']
    views = replace(  # each support as an instance of its own
        inputs,
        query_images=inputs.support_images[0],
        support_keypoints=inputs.support_keypoints[0][:, None],
        support_visible=inputs.support_visible[0][:, None],
    )
    of_supports = model.encode_instances(views, ['support'])
    of_queries = model.encode_instances(inputs, ['query'])
    kept = replace(of_queries, as_support=of_supports.as_support)
    expected = model.head.predict(model.encode(inputs))
    for tokens in (None, model.relate_shots(kept.as_support, inputs)):
        points, scores, *_ = model.predict_from_features(kept, inputs, tokens)
        torch.testing.assert_close(points, expected.points)
        torch.testing.assert_close(scores, expected.scores)


@every_head
def test_a_training_step_reaches_every_parameter(head):
    """A new model's as well, whose last layers are zero."""
    for model in (build_peer(head), MODELS.build(peer_config(head))):
        losses = model(**prepare(model, mixed_episodes(2)), mode='loss')
        names = {'heatmap', 'proposal', 'refined_0', 'refined_1'}
        assert losses.keys() == {f'loss_{name}' for name in names}
        sum(losses.values()).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@every_head
def test_labels_of_the_query_are_not_looked_at(head):
    model = build_peer(head)
    item, other = make_episode(3), make_episode(3)
    other['data_samples'].gt_instances.keypoints += 17
    assert torch.equal(found(model, [item])[0], found(model, [other])[0])
    assert compute_loss(model, [item]) != compute_loss(model, [other])


def test_only_the_graph_forgets_the_order():
    """CapeFormer tells keypoints apart by their index, GraphCape by nothing."""
    item, order = make_episode(2, 6), [3, 0, 5, 1, 4, 2]
    for head, forgets in zip(PEERS, (False, True)):
        model = build_peer(head, dropout=0.0)
        (plain,), (turned,) = (
            found(model, [case]) for case in (item, permute_keypoints(item, order))
        )
        close = torch.allclose(plain[:, order], turned, atol=1e-4)
        assert close == forgets, head


def test_graphs_skeleton_matters_and_may_be_empty():
    item = make_episode(2, 6)
    edges = item['data_samples'].skeleton
    with_edges = {}
    for head in PEERS:
        model = build_peer(head)
        for kept in (edges, []):
            item['data_samples'].set_metainfo(dict(skeleton=kept))
            (with_edges[head, len(kept)],) = found(model, [item])
        assert with_edges[head, 0].isfinite().all()
        is_same = torch.equal(with_edges[head, 0], with_edges[head, len(edges)])
        assert is_same == (head == 'CapeFormerHead')


def test_shots_by_both_rules():
    """Published: the mean of all, known where all show it; ours: of those that do."""
    hidden = ((0, 1), (1, 4), (0, 3), (1, 3))
    item = make_episode(1, 6, num_shots=2, support_hidden=hidden)
    singles = torch.randn(1, 2, 6, 64)
    visible = torch.ones(1, 2, 6, dtype=torch.bool)
    for shot, keypoint in hidden:
        visible[0, shot, keypoint] = False
    known = dict(all=[1, 0, 1, 0, 0, 1], any=[1, 1, 1, 0, 1, 1])
    for shots, is_known in known.items():
        model = build_peer(shots=shots)
        assert make_context(model, [item]).is_known[0].tolist() == is_known
        merged = model.head.merge_shots(singles, visible)
        torch.testing.assert_close(merged[0, 0], singles[0, :, 0].mean(dim=0))
        alone = singles[0, 1, 1] if is_known[1] else torch.zeros(64)
        torch.testing.assert_close(merged[0, 1], alone)
        scores = predict(model, [item], 'parallel')[0].keypoint_scores
        assert (scores[0] > 0).int().tolist() == is_known


@every_head
def test_half_precision_gives_finite_numbers(head):
    model = build_peer(head, dtype=torch.float32)
    with torch.autocast('cpu', torch.bfloat16):
        assert compute_loss(model, mixed_episodes()).isfinite()
        points = found(model, mixed_episodes())
    assert all(part.isfinite().all() for part in points)


def test_too_many_keypoints_and_padding_beyond():
    model = build_peer(max_keypoints=6)
    context = make_context(model, [make_episode(1, 7)])
    with pytest.raises(ConfigError, match='more than 6 keypoints.*max_keypoints'):
        model.head.predict(context)
    padded = replace(context, is_known=context.is_known & (torch.arange(7) < 6))
    assert model.head.predict(padded).points.isfinite().all()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(in_channels=32), 'in_channels=32, but the backbone gives 96'),
        (dict(shots='some'), "shots must be one of .* got 'some'"),
        (dict(num_layers=0), 'num_layers must be a whole number, at least 1'),
        (dict(heatmap_sigma=0), 'heatmap_sigma must be a number above 0'),
        (dict(dropout=2), 'dropout must be a number from 0 to 1'),
        (dict(loss_weights=dict(l2=1)), "loss_weights has no option 'l2'"),
    ],
)
def test_impossible_options(options, message):
    config = peer_config(**options)
    config['backbone'] = dict(
        type='TimmBackbone', name='test_resnet', out_strides=(32,)
    )
    with pytest.raises(ConfigError, match=message):
        MODELS.build(config)


def test_images_of_another_size():
    model = build_peer(input_size=128)
    with pytest.raises(ConfigError, match='images of 64 x 64, but .*input_size=128'):
        predict(model, [make_episode()], 'parallel')
