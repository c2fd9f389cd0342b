"""Parts of the comparison of feature maps; its whole: test_matching_head.py."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from cape_mm.models.layers.feature_matching import (
    resize,
    similarity_maps,
)

SIDE = 6


def unit_cells(maps, side):
    return F.normalize(resize(maps, side), dim=1)


def test_rows_choose_the_tokens_of_each_map(rng):
    maps = [torch.randn(3, 4, side, side, generator=rng) for side in (6, 3)]
    tokens = [torch.randn(2, 2, 5, 4, generator=rng) for _ in maps]
    rows, weights = torch.tensor([1, 0, 1]), torch.tensor([0.5, 2.0])
    found = similarity_maps(tokens, maps, weights, SIDE, rows)
    assert found.shape == (3, 2, 5, SIDE**2)
    chosen = [token[rows] for token in tokens]
    torch.testing.assert_close(found, similarity_maps(chosen, maps, weights, SIDE))
    cells = [F.normalize(unit_cells(m, SIDE), dim=1).flatten(2) for m in maps]
    expected = sum(
        weight * torch.einsum('nskc,ncp->nskp', token, cell)
        for weight, token, cell in zip(weights, chosen, cells)
    )
    torch.testing.assert_close(found, expected)
    alone = similarity_maps([t[:1] for t in tokens], maps, weights, SIDE, rows * 0)
    torch.testing.assert_close(alone[1], found[1])


def test_what_a_prediction_left_behind_can_be_trained_with():
    """The matrices that resize are kept; the first use may be in inference mode."""
    feature_map = torch.randn(2, 3, 7, 7)
    with torch.inference_mode():
        expected = resize(feature_map, 29)
    learned = feature_map.clone().requires_grad_()
    found = resize(learned, 29)
    found.sum().backward()
    torch.testing.assert_close(found, expected)
    assert learned.grad.abs().sum() > 0
