"""Parts of the comparison of feature maps; its whole: test_matching_head.py."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from cape_mm.models.layers.feature_matching import (
    centre_map,
    resize,
    similarity_maps,
    unit_samples,
)

SIDE = 6


def unit_cells(maps, side):
    return F.normalize(resize(maps, side), dim=1)


def test_centring_takes_away_what_all_cells_share(rng):
    maps = torch.randn(2, 3, 4, 5, generator=rng)
    shared = torch.randn(2, 3, 1, 1, generator=rng)
    centred = centre_map(maps + 10 * shared)
    torch.testing.assert_close(centred, centre_map(maps), atol=1e-5, rtol=0)
    assert centred.mean(dim=(2, 3)).abs().max() < 1e-5
    assert centre_map(maps.bfloat16()).dtype == torch.float32


def test_cells_and_samples_have_length_one(rng):
    maps = centre_map(torch.randn(2, 3, 4, 4, generator=rng))
    cells = unit_cells(maps, SIDE)
    points = torch.rand(2, 5, 2, generator=rng)
    samples = unit_samples(maps, points)
    torch.testing.assert_close(cells.norm(dim=1), torch.ones(2, SIDE, SIDE))
    torch.testing.assert_close(samples.norm(dim=-1), torch.ones(2, 5))
    assert not unit_samples(torch.zeros(2, 3, 4, 4), points).any()


def test_a_sample_at_a_cells_centre_is_that_cell(rng):
    maps = centre_map(torch.randn(1, 3, SIDE, SIDE, generator=rng))
    point = torch.tensor([[[2.5 / SIDE, 4.5 / SIDE]]])
    expected = unit_cells(maps, SIDE)[:, :, 4, 2]
    torch.testing.assert_close(unit_samples(maps, point)[:, 0], expected)


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
