"""Heat maps by hand: targets, peaks, samples."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from cape_mm.models.layers.heatmap import (
    gaussian_target,
    local_soft_argmax,
    pool_windows,
    resized_windows,
    sample_at,
    window_profiles,
)
from cape_mm.structures.geometry import pixels_to_unit, unit_to_pixels


def peaks(*cells, size=(8, 8), level=40.0):
    """Heat map logits, 0 but for ``cells`` = (x, y) or (x, y, logit)."""
    logits = torch.zeros(1, 1, *size)
    for x, y, *value in cells:
        logits[0, 0, y, x] = value[0] if value else level
    return logits


@pytest.mark.parametrize('cell', [(3, 5), (0, 0), (7, 0), (7, 7)])
def test_delta_is_found_at_its_cells_centre(cell):
    points, scores = local_soft_argmax(peaks(cell))
    expected = (torch.tensor(cell) + 0.5) / 8
    torch.testing.assert_close(points[0, 0], expected)
    assert scores.item() == pytest.approx(1, abs=1e-6)


def test_non_square_map_keeps_x_and_y_apart():
    points, _ = local_soft_argmax(peaks((5, 1), size=(2, 8)))
    torch.testing.assert_close(points[0, 0], torch.tensor([5.5 / 8, 1.5 / 2]))


def test_second_peak_elsewhere_does_not_pull():
    """The global mean would lie between the two; the score tells of the other one."""
    points, scores = local_soft_argmax(peaks((1, 1, 40.0), (6, 6, 39.9)))
    torch.testing.assert_close(points[0, 0], torch.tensor([1.5 / 8, 1.5 / 8]))
    assert scores.item() == pytest.approx(1 / (1 + math.exp(-0.1)), abs=1e-4)


def test_point_lies_between_neighbouring_cells():
    points, _ = local_soft_argmax(peaks((3, 4), (4, 4)))
    torch.testing.assert_close(points[0, 0], torch.tensor([4 / 8, 4.5 / 8]))
    points, _ = local_soft_argmax(peaks((3, 4, 40.0), (4, 4, 40.0 - math.log(3))))
    torch.testing.assert_close(points[0, 0], torch.tensor([3.75 / 8, 4.5 / 8]))


def test_window_has_the_radius():
    logits = peaks((2, 2, 40.0), (4, 2, 40.0))
    near, _ = local_soft_argmax(logits, radius=1)
    wide, _ = local_soft_argmax(logits, radius=2)
    torch.testing.assert_close(near[0, 0, 0], torch.tensor(2.5 / 8))
    torch.testing.assert_close(wide[0, 0, 0], torch.tensor(3.5 / 8))


def test_flat_map_scores_the_share_of_its_window():
    """A 5 x 5 window, cut at the corner of the first cell to 3 x 3, of 64 cells."""
    points, scores = local_soft_argmax(torch.zeros(1, 1, 8, 8))
    assert scores.item() == pytest.approx(9 / 64)
    torch.testing.assert_close(points[0, 0], torch.tensor([1.5 / 8, 1.5 / 8]))


def test_autocast_does_not_round_coordinates(rng):
    """bfloat16 has 8 bits: it would move a point by up to half a pixel of 256."""
    logits = torch.randn(2, 4, 16, 16, generator=rng)
    expected = local_soft_argmax(logits)
    with torch.autocast('cpu', torch.bfloat16):
        points, scores = local_soft_argmax(logits)
    assert points.dtype == scores.dtype == torch.float32
    torch.testing.assert_close((points, scores), expected, rtol=0, atol=1e-6)


def test_nan_points_are_sampled_without_a_crash():
    points = torch.full((1, 2, 2), float('nan'), requires_grad=True)
    sample_at(torch.ones(1, 3, 4, 4), points).sum().backward()


def test_gradient_pulls_the_point():
    logits = peaks((3, 4, 3.0)).requires_grad_()
    points, _ = local_soft_argmax(logits)
    points[0, 0, 0].backward()
    assert logits.grad[0, 0, 4, 4] > 0 > logits.grad[0, 0, 4, 2]
    assert not logits.grad[0, 0, :, 6:].any()


def test_target_sums_to_one_and_peaks_at_the_points_cell(rng):
    points = torch.rand(2, 3, 2, generator=rng)
    target = gaussian_target(points, (8, 16), sigma=1.0)
    assert target.shape == (2, 3, 128)
    torch.testing.assert_close(target.sum(-1), torch.ones(2, 3))
    cell = (points * torch.tensor([16, 8])).long()
    assert torch.equal(target.argmax(-1), cell[..., 1] * 16 + cell[..., 0])


def test_target_falls_by_sigma():
    """One cell away from the centre of a cell: exp(-1 / (2 sigma^2)) of its mass."""
    target = gaussian_target(torch.tensor([[[4.5 / 8, 4.5 / 8]]]), (8, 8), sigma=2.0)
    target = target.view(8, 8)
    assert (target[4, 5] / target[4, 4]).item() == pytest.approx(math.exp(-1 / 8))
    assert (target[5, 5] / target[4, 4]).item() == pytest.approx(math.exp(-1 / 4))


@pytest.mark.parametrize('pixel', [(31.5, 35.5), (30.0, 33.0), (26.2, 38.9)])
def test_a_pixel_survives_target_and_soft_argmax(pixel):
    """No half-pixel shift on the way pixels -> unit -> heat map -> unit -> pixels."""
    unit = pixels_to_unit(torch.tensor([[pixel]]), (64, 64))
    target = gaussian_target(unit, (8, 8), sigma=0.7)
    points, scores = local_soft_argmax(target.log().view(1, 1, 8, 8), radius=8)
    back = unit_to_pixels(points, (64, 64))
    torch.testing.assert_close(back[0, 0], torch.tensor(pixel), atol=0.02, rtol=0)
    assert scores.item() == pytest.approx(1)


def test_samples_of_a_ramp_are_the_coordinates():
    ramp = (torch.arange(8) + 0.5).div(8).expand(4, 8)
    feature_map = torch.stack([ramp, 2 * ramp])[None]
    points = torch.tensor([[[0.3, 0.5], [0.77, 0.1], [-2.0, 0.5], [9.0, 9.0]]])
    samples = sample_at(feature_map, points)
    expected = torch.tensor([0.3, 0.77, 0.5 / 8, 7.5 / 8])
    torch.testing.assert_close(samples[0, :, 0], expected)
    torch.testing.assert_close(samples[0, :, 1], 2 * expected)


WINDOW_POINTS = torch.tensor([[0.5, 0.25], [0.03, 0.97], [0.999, 0.0], [0.31, 0.62]])


def draw(profiles):
    along_x, along_y = profiles
    return along_y[..., :, None] * along_x[..., None, :]


def test_window_by_hand():
    """Pixel 33 of 256 lies nearest to cell 8 of 64, pixel 34 to cell 9."""
    points = (torch.tensor([[33.0, 34.0]]) + 0.5) / 256
    along_x, along_y = window_profiles(points, 64, 1.0, 256)
    near = torch.tensor([0, 3, 2, 1, 0, 1, 2, 3, 0])
    expected = torch.exp(-near.square() / 2) * torch.tensor([0.0, *[1] * 7, 0])
    for profile, cell in ((along_x, 8), (along_y, 9)):
        assert profile[0].count_nonzero() == 7
        torch.testing.assert_close(profile[0, cell - 4 : cell + 5], expected)


@pytest.mark.parametrize('size', [(8, 8), (16, 16), (5, 7)])
def test_pooling_equals_resizing_the_map(size):
    rng = torch.Generator().manual_seed(0)
    feature_map = torch.randn(1, 6, *size, generator=rng)
    profiles = window_profiles(WINDOW_POINTS[None], 64, 2.0, 256)
    heatmaps = draw(profiles)[0]
    whole = F.interpolate(feature_map, (64, 64), mode='bilinear', align_corners=False)
    weights = heatmaps / heatmaps.sum(dim=(1, 2), keepdim=True)
    expected = weights.flatten(1) @ whole[0].flatten(1).T
    torch.testing.assert_close(pool_windows(feature_map, profiles)[0], expected)


def test_targets_equal_resized_heat_maps():
    profiles = window_profiles(WINDOW_POINTS[None], 64, 2.0, 256)
    expected = F.interpolate(draw(profiles), (8, 8), mode='bilinear')
    expected = expected / expected.amax(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(resized_windows(profiles, (8, 8)), expected)


def test_a_point_far_outside_gives_nothing():
    profiles = window_profiles(torch.tensor([[[1.5, 0.5]]]), 64, 2.0, 256)
    assert not pool_windows(torch.ones(1, 2, 8, 8), profiles).any()
    assert not resized_windows(profiles, (8, 8)).any()
