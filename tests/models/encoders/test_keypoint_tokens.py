"""Looking at the support: pooling over cells and over shots."""

from __future__ import annotations

import pytest
import torch
from tiny_cape import fill_zero_weights

from cape_mm.errors import ConfigError
from cape_mm.models.encoders import KeypointTokens, gaussian_pool, pool_shots


def test_shots_are_averaged_where_visible():
    values = torch.tensor([[[[1.0], [5.0], [9.0]], [[3.0], [7.0], [11.0]]]])
    is_visible = torch.tensor([[[True, True, False], [True, False, False]]])
    assert pool_shots(values, is_visible)[0, :, 0].tolist() == [2, 5, 0]


def test_pools_the_feature_of_the_cell_under_the_keypoint():
    """A map whose cell (x, y) holds the unit vector number 4 y + x."""
    feature_map = torch.eye(16).view(1, 16, 4, 4)
    cells = torch.tensor([[0, 0], [3, 0], [1, 2]])
    points = ((cells + 0.5) / 4)[None]
    pooled = gaussian_pool(feature_map, points, sigma=0.2)
    expected = torch.eye(16)[cells[:, 1] * 4 + cells[:, 0]]
    torch.testing.assert_close(pooled[0], expected, atol=1e-4, rtol=0)


def test_weights_fall_with_the_distance_in_cells():
    feature_map = torch.eye(8).view(1, 8, 1, 8)
    point = torch.tensor([[[4.5 / 8, 0.5]]])
    weights = gaussian_pool(feature_map, point, sigma=1.0)[0, 0]
    assert weights.sum().item() == pytest.approx(1)
    assert (weights[5] / weights[4]).item() == pytest.approx(0.60653, abs=1e-4)
    assert weights[3].item() == pytest.approx(weights[5].item())


def test_points_outside_use_the_border():
    feature_map = torch.arange(16.0).view(1, 1, 4, 4)
    outside = torch.tensor([[[-3.0, 0.4], [0.7, 5.0]]])
    border = torch.tensor([[[0.0, 0.4], [0.7, 1.0]]])
    pooled = gaussian_pool(feature_map, outside, 0.5)
    assert torch.equal(pooled, gaussian_pool(feature_map, border, 0.5))


@pytest.fixture
def inputs(rng):
    """Two scales of 2 episodes x 3 shots, 5 keypoints, some invisible."""
    maps = [torch.randn(6, 8, size, size, generator=rng) for size in (8, 4)]
    points = torch.rand(2, 3, 5, 2, generator=rng)
    is_visible = torch.ones(2, 3, 5, dtype=torch.bool)
    is_visible[0, 1, 2] = is_visible[1, 0, 4] = False
    return maps, points, is_visible


@pytest.fixture
def layer():
    layer = KeypointTokens(8, num_scales=2).double()
    fill_zero_weights(layer)
    return layer


def run(layer, maps, points, is_visible):
    maps = [feature_map.double() for feature_map in maps]
    return layer(maps, points.double(), is_visible)


def test_every_scale_and_only_visible_shots_are_looked_at(layer, inputs):
    """Keypoint 2 of episode 0 is invisible in shot 1, all others are visible there."""
    maps, points, visible = inputs
    tokens = run(layer, *inputs)
    for scale in range(2):
        other = [fmap.clone() for fmap in maps]
        other[scale][1] += torch.randn(other[scale][1].shape)
        has_changed = (run(layer, other, points, visible) != tokens).any(dim=-1)
        assert has_changed[0].tolist() == [True, True, False, True, True]
        assert not has_changed[1].any()


def test_another_number_of_maps_is_refused():
    maps = [torch.zeros(2, 8, size, size) for size in (8, 4, 2)]
    points, is_visible = torch.zeros(2, 1, 3, 2), torch.ones(2, 1, 3).bool()
    assert KeypointTokens(8, num_scales=3)(maps, points, is_visible).shape == (2, 3, 8)
    with pytest.raises(ConfigError, match='num_scales=2, but the neck gives 3 '):
        KeypointTokens(8, num_scales=2)(maps, points, is_visible)
