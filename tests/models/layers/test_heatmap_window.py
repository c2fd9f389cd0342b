"""Windows of heat maps against heat maps drawn whole."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cape_mm.models.layers.heatmap_window import (
    pool_windows,
    resized_windows,
    window_profiles,
)

POINTS = torch.tensor([[0.5, 0.25], [0.03, 0.97], [0.999, 0.0], [0.31, 0.62]])


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
    profiles = window_profiles(POINTS[None], 64, 2.0, 256)
    heatmaps = draw(profiles)[0]
    whole = F.interpolate(feature_map, (64, 64), mode='bilinear', align_corners=False)
    weights = heatmaps / heatmaps.sum(dim=(1, 2), keepdim=True)
    expected = weights.flatten(1) @ whole[0].flatten(1).T
    torch.testing.assert_close(pool_windows(feature_map, profiles)[0], expected)


def test_targets_equal_resized_heat_maps():
    profiles = window_profiles(POINTS[None], 64, 2.0, 256)
    expected = F.interpolate(draw(profiles), (8, 8), mode='bilinear')
    expected = expected / expected.amax(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(resized_windows(profiles, (8, 8)), expected)


def test_a_point_far_outside_gives_nothing():
    profiles = window_profiles(torch.tensor([[[1.5, 0.5]]]), 64, 2.0, 256)
    assert not pool_windows(torch.ones(1, 2, 8, 8), profiles).any()
    assert not resized_windows(profiles, (8, 8)).any()
