"""Boxes and affine maps against hand-worked numbers and their own inverses."""

import numpy as np
import pytest
import torch

from cape_mm.structures.geometry import (
    apply_affine,
    clean_box,
    crop_matrix,
    mirror_affine,
    pixels_to_unit,
    unit_to_pixels,
)

IMAGE = (100, 80)
CENTER, SIDE, INPUT = np.array([37.0, 52.5]), 40.0, (64, 64)


@pytest.mark.parametrize(
    'bbox, expected',
    [
        ([10, 20, 30, 40], [10, 20, 29, 39]),  # inside: one pixel less
        ([-5, 3, 20, 10], [0, 3, 19, 9]),  # the width is not cut on the left
        ([90, 70, 50, 50], [90, 70, 9, 9]),  # cut at the last pixel
        ([-10, -10, 500, 500], [0, 0, 99, 79]),
        ([1.5, 2.25, 10.5, 4.75], [1.5, 2.25, 9.5, 3.75]),
        ([0, 0, 2, 2], [0, 0, 1, 1]),  # the smallest integer box
    ],
)
def test_clean_box_by_hand(bbox, expected):
    np.testing.assert_array_equal(clean_box(bbox, IMAGE), expected)


@pytest.mark.parametrize(
    'bbox',
    [
        [10, 10, 0, 5],
        [10, 10, 5, 0],
        [10, 10, 1, 5],  # w - 1 = 0
        [50, 50, -20, -20],
        [50, 50, -20, 20],
        [99, 10, 5, 5],  # starts on the last column
        [150, 10, 5, 5],
        [10, 90, 5, 5],
    ],
)
def test_clean_box_of_a_degenerate_box(bbox):
    assert clean_box(bbox, IMAGE) is None


def test_clean_box_against_the_official_formula():
    rng = np.random.default_rng(0)
    num_kept = 0
    for _ in range(500):
        x, y, w, h = rng.uniform([-40, -40, -10, -10], [140, 120, 90, 90])
        x1, y1 = np.maximum([x, y], 0)
        x2 = np.minimum(IMAGE[0] - 1, x1 + np.maximum(0, w - 1))
        y2 = np.minimum(IMAGE[1] - 1, y1 + np.maximum(0, h - 1))
        found = clean_box([x, y, w, h], IMAGE, area=3.0)
        if x2 > x1 and y2 > y1:
            num_kept += 1
            np.testing.assert_allclose(found, [x1, y1, x2 - x1, y2 - y1])
        else:
            assert found is None
    assert 100 < num_kept < 400


@pytest.mark.parametrize('rotation', [0, 30, -120])
def test_crop_centre_lands_on_the_input_centre(rotation):
    matrix = crop_matrix(CENTER, SIDE, INPUT, rotation)
    np.testing.assert_allclose(apply_affine(matrix, CENTER), [32, 32])


def test_positive_rotation_is_clockwise_on_screen():
    matrix = crop_matrix(CENTER, SIDE, INPUT, rotation=90)
    right_of_centre = CENTER + [10, 0]
    below_centre = [32, 32 + 10 * 64 / 40]
    np.testing.assert_allclose(apply_affine(matrix, right_of_centre), below_centre)


def test_apply_affine_batched_equals_one_by_one():
    rng = np.random.default_rng(0)
    matrices, points = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 5, 2))
    batched = apply_affine(matrices, points)
    for matrix, some, found in zip(matrices, points, batched):
        column = np.concatenate([some, np.ones((5, 1))], axis=1).T  # (3, K)
        np.testing.assert_allclose(found, (matrix @ column).T)
        np.testing.assert_allclose(found, apply_affine(matrix, some))


def test_mirror_maps_columns_to_columns():
    matrix = crop_matrix(CENTER, SIDE, INPUT, rotation=17)
    points = np.random.default_rng(0).uniform(0, 100, (6, 2))
    plain = apply_affine(matrix, points)
    mirrored = apply_affine(mirror_affine(matrix, 64), points)
    np.testing.assert_allclose(mirrored[:, 0], 63 - plain[:, 0])
    np.testing.assert_allclose(mirrored[:, 1], plain[:, 1])


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_pixels_and_unit_are_inverse(dtype):
    generator = torch.Generator().manual_seed(0)
    pixels = 300 * torch.rand(3, 5, 2, generator=generator, dtype=dtype) - 20
    for points in (pixels, pixels.numpy()):
        unit = pixels_to_unit(points, (256, 128))
        back = unit_to_pixels(unit, (256, 128))
        assert type(back) is type(points)
        assert back.dtype == points.dtype
        np.testing.assert_allclose(back, points, atol=1e-4)
    as_array = pixels_to_unit(pixels.numpy(), (256, 128))
    np.testing.assert_allclose(pixels_to_unit(pixels, (256, 128)), as_array)
