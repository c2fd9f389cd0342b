"""Position encodings by hand."""

from __future__ import annotations

import math

import torch

from cape_mm.models.layers import grid_points, sine_encoding
from cape_mm.structures.geometry import unit_to_pixels


def test_one_wave_by_hand():
    """The longest wave is 2: half a turn from 0 to 1."""
    encoding = sine_encoding(torch.tensor([0.5, 1.0]), 4)
    torch.testing.assert_close(
        encoding, torch.tensor([1.0, 0, 0, -1]), atol=1e-6, rtol=0
    )


def test_shortest_wave_is_a_64th():
    points = torch.tensor([[0.3, 0.7], [0.3 + 1 / 64, 0.7]], dtype=torch.float64)
    waves = sine_encoding(points, 32).reshape(2, 2, 2, 8)  # point, x|y, sin|cos, wave
    torch.testing.assert_close(waves[0, ..., -1], waves[1, ..., -1], atol=1e-4, rtol=0)
    angle = math.pi * 2**7 * 0.3
    expected = torch.tensor([math.sin(angle), math.cos(angle)], dtype=torch.float64)
    torch.testing.assert_close(waves[0, 0, :, -1], expected, atol=1e-4, rtol=0)
    assert (waves[0, 0, :, :-1] - waves[1, 0, :, :-1]).abs().max() > 0.1


def test_grid_points_are_cell_centres_row_by_row():
    points = grid_points(2, 4)
    assert points[:5].tolist() == [
        [0.125, 0.25], [0.375, 0.25], [0.625, 0.25], [0.875, 0.25], [0.125, 0.75],
    ]  # fmt: skip


def test_grid_points_agree_with_pixel_coordinates():
    """A cell of stride 8 covers pixels 0 to 7, so its centre is 3.5."""
    pixels = unit_to_pixels(grid_points(4, 8), (64, 32))
    assert pixels[0].tolist() == [3.5, 3.5]
    assert pixels[-1].tolist() == [59.5, 27.5]
