"""The parts of an exported model, put together in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_cape import build_cape, make_episode, prepare, tiny_backbone

from cape_mm.deploy.stages import (
    DecodeStage,
    JudgeStage,
    QueryStage,
    SupportStage,
    normalise,
)
from cape_mm.models.heads.decode_order import skeleton_order, take_in_order


def split_inputs(model, item):
    """The parts' inputs of one episode, pictures as they come from the data set."""
    inputs = prepare(model, [item])['inputs']
    pictures = item['inputs']
    return inputs, pictures['support'], pictures['query']


def run_stages(model, item):
    inputs, support_pictures, query_pictures = split_inputs(model, item)
    visible, hops = inputs.support_visible[0], inputs.hops[0]
    tokens = SupportStage(model)(
        support_pictures, inputs.support_keypoints[0], visible, hops
    )
    known = visible.any(dim=0, keepdim=True)
    made = QueryStage(model)(query_pictures, tokens, known)
    points, scores, keypoint_tokens, fine_map, questions, keys, values = made
    num = len(points)
    order = skeleton_order(hops.expand(num, -1, -1), scores, known.expand(num, -1))
    found = decode(model, hops, order, known, made)
    confidence, visibility = JudgeStage(model)(
        found[0], fine_map, found[1], found[2], points, scores
    )
    return found[1], confidence, visibility, known[0]


def decode(model, hops, order, known, made):
    _, _, identities, fine_map, questions, keys, values = made
    step = DecodeStage(model)
    num, rows = len(order), torch.arange(len(order))
    layers, _, heads, _, dims = keys.shape
    cache = [keys.new_zeros(layers, num, heads, 0, dims) for _ in range(2)]
    points, scores, tokens = [], [], []
    for index in range(int(known.sum())):
        now, last = order[:, index], order[:, max(index - 1, 0)]
        held = order[:, : max(index - 1, 0)]
        seen = torch.cat([held, last[:, None], now[:, None]], dim=1)
        rows_of = torch.stack([last, now], dim=1)
        point, score, token, *new = step(
            questions[rows, now][:, None],
            identities[rows, now][:, None],
            identities[rows, last][:, None],
            points[-1] if points else questions.new_zeros(num, 1, 2),
            torch.tensor([index > 0]),
            hops[rows_of[:, :, None], seen[:, None, :]],
            fine_map,
            keys,
            values,
            *cache,
        )
        if index:
            cache = [torch.cat(pair, dim=3) for pair in zip(cache, new)]
        points.append(point)
        scores.append(score)
        tokens.append(token)
    back = order.argsort(dim=1)
    rest = order.shape[1] - len(points)
    points = torch.cat([*points, torch.full((num, rest, 2), 0.5)], dim=1)
    scores = torch.cat([*scores, scores[0].new_zeros(num, rest)], dim=1)
    tokens = torch.cat(
        [*tokens, take_in_order(identities, order)[:, len(tokens) :]], dim=1
    )
    return [take_in_order(part, back) for part in (tokens, points, scores)]


@torch.no_grad()
@pytest.mark.parametrize('own_support_backbone', [False, True])
def test_parts_give_what_the_model_gives(own_support_backbone):
    kwargs = dict(support_backbone=tiny_backbone()) if own_support_backbone else {}
    model = build_cape(dtype=torch.float32, **kwargs).eval()
    item = make_episode(3, 6, num_shots=2, support_hidden=((0, 1), (0, 4), (1, 4)))
    expected = model.head.predict(model.encode(prepare(model, [item])['inputs']), 'ar')
    points, confidence, visibility, known = run_stages(model, item)
    assert known.tolist() == [True] * 4 + [False, True]
    for found, part in zip((points, confidence, visibility), expected):
        torch.testing.assert_close(found[:, known], part[:, known], rtol=0, atol=1e-5)


def test_pictures_arenormalised_inside():
    model = build_cape(dtype=torch.float32).eval()
    item = make_episode(1)
    inputs, support_pictures, _ = split_inputs(model, item)
    found = normalise(model, support_pictures)
    np.testing.assert_allclose(found, inputs.support_images[0], rtol=0, atol=1e-5)
