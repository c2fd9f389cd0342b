"""Orders of decoding by hand."""

from __future__ import annotations

import pytest
import torch

from cape_mm.models.heads.decode_order import (
    fixed_random_order,
    mixed_order,
    random_order,
    skeleton_order,
    take_in_order,
)
from cape_mm.structures.skeleton import hop_distances


def order_of(edges, scores, known=None):
    """Skeleton order of one row."""
    hops = torch.tensor(hop_distances(edges, len(scores)))[None]
    is_known = torch.tensor([known or [True] * len(scores)])
    return skeleton_order(hops, torch.tensor([scores]), is_known)[0].tolist()


def test_breadth_first_from_the_most_confident():
    chain = [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert order_of(chain, [0.1, 0.2, 0.9, 0.3, 0.8]) == [2, 3, 1, 4, 0]


def test_unreachable_keypoints_come_after_the_graph_by_falling_score():
    assert order_of([(0, 1)], [0.1, 0.9, 0.2, 0.8]) == [1, 0, 3, 2]


def test_unknown_keypoints_come_last_even_with_the_best_score():
    chain = [(0, 1), (1, 2)]
    assert order_of(chain, [1.0, 0.1, 0.2], [False, True, True]) == [2, 1, 0]


def test_close_scores_of_unreachable_keypoints_are_told_apart():
    """A distance of 10,000 must not swallow the score's digits."""
    scores = [0.9, 0.3001, 0.3003, 0.3002]
    assert order_of([], scores) == [0, 2, 3, 1]


def test_random_order_is_a_permutation_with_unknown_last(rng):
    is_known = torch.rand(50, 6, generator=rng) < 0.6
    order = random_order(is_known, rng)
    assert torch.equal(order.sort(dim=1).values, torch.arange(6).expand(50, 6))
    known_in_order = take_in_order(is_known, order)
    assert torch.equal(known_in_order, known_in_order.sort(dim=1, descending=True)[0])
    assert len({tuple(row) for row in order.tolist()}) > 30


def test_fixed_random_order_knows_neither_row_nor_padding(rng):
    is_known = torch.rand(40, 30, generator=rng) < 0.7
    order = fixed_random_order(is_known)
    assert torch.equal(order.sort(dim=1).values, torch.arange(30).expand(40, 30))
    known_in_order = take_in_order(is_known, order)
    assert torch.equal(known_in_order, known_in_order.sort(dim=1, descending=True)[0])
    everything = fixed_random_order(torch.ones(1, 30, dtype=torch.bool))[0].tolist()
    assert everything != sorted(everything)
    for size in (1, 5, 30, 2000):
        padded = torch.zeros(40, size, dtype=torch.bool)
        shown = min(size, 30)
        padded[:, :shown] = is_known[:, :shown]
        for row, places in zip(padded, fixed_random_order(padded).tolist()):
            known = row.nonzero()[:, 0].tolist()
            assert places[: len(known)] == [k for k in everything if k in known]


def test_share_of_random_rows(rng):
    hops = torch.tensor(hop_distances([(i, i + 1) for i in range(7)], 8)).expand(
        400, 8, 8
    )
    scores = torch.rand(400, 8, generator=rng)
    is_known = torch.ones(400, 8, dtype=torch.bool)
    by_skeleton = skeleton_order(hops, scores, is_known)

    def share(prob):
        order = mixed_order(hops, scores, is_known, prob, rng)
        return (order != by_skeleton).any(dim=1).float().mean().item()

    assert share(0.0) == 0
    assert share(1.0) > 0.98
    assert share(0.5) == pytest.approx(0.5, abs=0.1)
