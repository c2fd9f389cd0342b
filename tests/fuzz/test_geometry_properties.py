"""Boxes, crops and skeletons: what holds for any input at all."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='property tests need hypothesis')
from hypothesis import given
from hypothesis import strategies as st

from cape_mm.datasets.categories import zero_based_skeleton
from cape_mm.datasets.transforms import (
    EpisodeFlip,
    InstanceCrop,
    RandomInstanceAffine,
    WarpInstance,
)
from cape_mm.structures.geometry import apply_affine, clean_box
from cape_mm.structures.skeleton import check_skeleton

any_number = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**6), 10**6),
    st.floats(-2000, 2000),
)
sides = st.integers(1, 4000)


@given(st.tuples(*[any_number] * 4), sides, sides, st.none() | st.floats(-10, 1e6))
def test_clean_box_lies_in_its_image(bbox, width, height, area):
    clean = clean_box(np.array(bbox, dtype=np.float64), (width, height), area)
    if clean is None:
        return
    x, y, w, h = clean
    assert w > 0
    assert h > 0
    assert x >= 0
    assert y >= 0
    assert x + w <= width - 1 + 1e-9 * width
    assert y + h <= height - 1 + 1e-9 * height
    assert area is None or area > 0


boxes = st.tuples(
    st.floats(0, 3000), st.floats(0, 3000), st.floats(1, 3000), st.floats(1, 3000)
)
points = st.lists(
    st.tuples(st.floats(-500, 4500), st.floats(-500, 4500)), min_size=1, max_size=6
)


@given(boxes, points, st.integers(0, 2**31), st.sampled_from([64, 128, 256, 384]))
def test_keypoints_come_back_to_a_thousandth_of_a_pixel(bbox, keypoints, seed, side):
    keypoints = np.array(keypoints, dtype=np.float64)
    results = dict(
        img=np.zeros((8, 8, 3), np.uint8),
        bbox=np.array(bbox),
        keypoints_orig=keypoints.copy(),
        rng=np.random.default_rng(seed),
        episode_seed=seed,
    )
    pipeline = [InstanceCrop(), RandomInstanceAffine(), EpisodeFlip()]
    for transform in [*pipeline, WarpInstance((side, side))]:
        results = transform(results)
    back = apply_affine(results['crop_to_image'], results['keypoints'])
    # what the network sees is float32: far outside the crop its grid is coarser
    scale = max(1.0, np.abs(results['keypoints']).max() / (4 * side))
    pixel = max(bbox[2:]) * 1.25 * 1.25 / side
    assert np.abs(back - keypoints).max() <= 1e-3 * scale * max(1.0, pixel)
    np.testing.assert_array_equal(results['keypoints_orig'], keypoints)


edge_values = st.one_of(
    st.integers(-2, 9), st.sampled_from([True, 0.5, math.nan, None, 'x', 10**30, [1]])
)
edges = st.lists(st.lists(edge_values, max_size=3) | edge_values, max_size=8)


@given(edges, st.integers(0, 8))
def test_skeleton_is_read_or_refused(raw, num_keypoints):
    try:
        read = zero_based_skeleton(raw, num_keypoints)
    except (TypeError, ValueError):  # what read_categories turns into its own error
        return
    check_skeleton(read, num_keypoints)
    assert len({frozenset(edge) for edge in read}) == len(read)
    assert all(a != b for a, b in read)
