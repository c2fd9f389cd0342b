"""Colours: distinct, stable, and as opaque as a keypoint is certain."""

import numpy as np
import pytest

from cape_mm.visualization import keypoint_colors
from cape_mm.visualization.paints import MIN_OPACITY, blend, keypoint_paints


def test_68_colours_are_distinct_and_stable():
    colors = np.array(keypoint_colors(68), dtype=float)
    assert keypoint_colors(9) == keypoint_colors(68)[:9]
    assert keypoint_colors(0) == ()
    gaps = np.linalg.norm(colors[:, None] - colors[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() > 20
    assert gaps[:12, :12].min() > 80


def test_opacity_grows_with_confidence():
    paints = keypoint_paints(5, np.array([0.0, 0.5, 1.0, np.nan, 7.0]))
    middle = (1 + MIN_OPACITY) / 2
    np.testing.assert_allclose(paints.opacity, [MIN_OPACITY, middle, 1, MIN_OPACITY, 1])
    assert [color[3] for color in paints.colors] == [
        round(255 * value) for value in paints.opacity
    ]
    assert [color[:3] for color in paints.colors] == list(keypoint_colors(5))
    is_seen = np.array([True, True, True, False, True])
    assert paints.in_order(is_seen).tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize('scores', [None, np.ones(3)])
def test_certain_keypoints_need_no_fourth_channel(scores):
    paints = keypoint_paints(3, scores)
    assert paints.colors == keypoint_colors(3)
    assert paints.canvas(np.zeros((4, 4, 3), np.uint8)).shape == (4, 4, 3)


def test_blend_by_hand():
    image = np.full((3, 5, 3), 100, np.uint8)
    canvas = keypoint_paints(1, np.array([0.5])).canvas(image)
    canvas[1, 2] = (200, 0, 100, 51)  # 51 / 255 = 0.2
    drawn = blend(image, canvas)
    assert drawn[1, 2].tolist() == [120, 80, 100]
    drawn[1, 2] = 100
    assert (drawn == 100).all()
    assert (image == 100).all()
