"""Keypoints predicted from the others of a layout that bends."""

from __future__ import annotations

import pytest
import torch

from cape_mm.models.layers import grid_points
from cape_mm.models.layers.bending import Bending, peaks

SIDE = 16


@pytest.fixture
def points() -> torch.Tensor:
    """Twelve places in the middle of the picture, (1, 12, 2)."""
    generator = torch.Generator().manual_seed(0)
    return 0.25 + 0.5 * torch.rand(1, 12, 2, generator=generator)


def spread(points: torch.Tensor) -> torch.Tensor:
    """Mean distance from the centre, (N, 1, 1)."""
    centred = points - points.mean(dim=1, keepdim=True)
    return centred.square().sum(dim=(1, 2), keepdim=True).div(points.shape[1]).sqrt()


def predict(places, moved, mass, is_known=None) -> torch.Tensor:
    if is_known is None:
        is_known = torch.ones_like(mass, dtype=torch.bool)
    with torch.no_grad():
        return Bending().predict(places, moved, mass, is_known)


def test_predicting_from_the_others_is_that_of_a_smaller_system(points):
    """The inverse that serves all equals twelve solutions without one of them."""
    bending = Bending()
    moved = 0.1 * torch.randn(1, 12, 2, generator=torch.Generator().manual_seed(1))
    mass = torch.linspace(0.2, 1, 12)[None]
    found = predict(points, moved, mass)
    gaps = (points[0, :, None] - points[0]).square().sum(-1)
    reach = bending.log_reach.exp() ** 2
    kernel = bending.log_smooth.exp() * (-gaps / (2 * reach)).exp()
    kernel = kernel + bending.log_affine.exp() * (1 + points[0] @ points[0].T)
    noise = bending.log_noise.exp() * mass[0] ** -bending.doubt_power
    for left_out in range(12):
        rest = [n for n in range(12) if n != left_out]
        own = kernel[rest][:, rest] + noise[rest].diag_embed()
        weights = torch.linalg.solve(own, kernel[rest, left_out])
        expected = weights @ moved[0, rest]
        variance = kernel[left_out, left_out] - weights @ kernel[rest, left_out]
        torch.testing.assert_close(
            found.points[0, left_out], expected.detach(), atol=1e-4, rtol=1e-3
        )
        torch.testing.assert_close(
            found.variance[0, left_out], variance.detach(), atol=1e-4, rtol=1e-2
        )


def test_an_affine_move_is_foreseen(points):
    """Squeezed to half its height, a layout still says where the last one is."""
    squeezed = (points - 0.5) * torch.tensor([1.0, 0.5])
    scale = spread(points)
    places = (points - points.mean(dim=1, keepdim=True)) / scale
    moved = (squeezed + 0.5 - points) / scale
    mass = torch.ones(1, 12)
    found = predict(places, moved, mass)
    assert moved.norm(dim=-1).mean() > 0.2
    assert (found.points - moved).norm(dim=-1).max() < 0.1


def test_doubtful_and_unknown_ones_count_less(points):
    moved = torch.zeros(1, 12, 2)
    moved[0, 0] = 1.0
    sure, doubtful = torch.ones(1, 12), torch.ones(1, 12)
    doubtful[0, 0] = 0.05
    hidden = torch.ones(1, 12, dtype=torch.bool)
    hidden[0, 0] = False
    pulls = [
        predict(points, moved, *args).points[0, 1:].norm(dim=-1).mean()
        for args in ((sure,), (doubtful,), (sure, hidden))
    ]
    assert pulls[0] > 5 * pulls[1]
    assert pulls[0] > 100 * pulls[2]


def test_density_peaks_where_the_others_make_expect(points):
    """Of one keypoint without any evidence of its own."""
    cells = grid_points(SIDE, SIDE, points.device)
    truth = points + torch.tensor([0.1, -0.05])
    logits = -(truth[:, :, None] - cells).square().sum(-1) / (2 * 0.03**2)
    logits[0, 3] = 0
    is_known = torch.ones(1, 12, dtype=torch.bool)
    with torch.no_grad():
        density = Bending()(logits, cells, points, spread(points), is_known)
    best = cells[density[0, 3].argmax()]
    assert (best - truth[0, 3]).abs().max() < 1.1 / SIDE


def test_peaks_are_between_cells():
    cells = grid_points(SIDE, SIDE, torch.device('cpu'))
    wanted = torch.tensor([[[0.47, 0.53], [0.2, 0.8]]])
    logits = -(wanted[:, :, None] - cells).square().sum(-1) / (2 * 0.04**2)
    found, mass = peaks(logits, cells)
    torch.testing.assert_close(found, wanted, atol=5e-3, rtol=0)
    assert (mass > 0.85).all()


def test_a_keypoint_alone_stays():
    found = predict(torch.zeros(1, 1, 2), torch.ones(1, 1, 2), torch.ones(1, 1))
    torch.testing.assert_close(found.points, torch.zeros(1, 1, 2))
    assert found.variance.isfinite().all()
