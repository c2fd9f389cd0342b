"""Drawing: what appears where, and that the input stays as it is."""

import numpy as np

from cape_mm.visualization import draw_pose, keypoint_colors

GRAY = np.full((64, 64, 3), 128, dtype=np.uint8)
POINTS = np.array([[16.0, 16.0], [48.0, 16.0], [32.0, 48.0]])
SEEN = np.ones(3, bool)


def changed(image, x, y):
    return (image[y, x] != 128).any()


def test_keypoint_has_its_colour_at_its_place():
    drawn = draw_pose(GRAY, POINTS, SEEN, [])
    for (x, y), color in zip(POINTS.astype(int), keypoint_colors(3)):
        assert tuple(drawn[y, x]) == color
    assert not changed(drawn, 32, 16)


def test_edge_joins_visible_keypoints_only():
    edges = [[0, 1], [1, 2]]
    assert changed(draw_pose(GRAY, POINTS, SEEN, edges), 32, 16)
    hidden = draw_pose(GRAY, POINTS, np.array([False, True, True]), edges)
    assert not changed(hidden, 32, 16)
    assert not changed(hidden, 16, 16)
    assert changed(hidden, 40, 32)


def test_input_is_not_changed():
    image, points, seen = GRAY.copy(), POINTS.copy(), SEEN.copy()
    drawn = draw_pose(image, points, seen, [[0, 1]], np.full(3, 0.5))
    assert drawn.shape == image.shape
    for now, before in ((image, GRAY), (points, POINTS), (seen, SEEN)):
        np.testing.assert_array_equal(now, before)


def test_sizes_follow_the_image():
    share = []
    for side in (256, 1024):
        image = np.full((side, side, 3), 128, dtype=np.uint8)
        drawn = draw_pose(image, POINTS * side / 64, SEEN, [[0, 1]])
        share.append((drawn != 128).any(axis=-1).mean())
    assert 0.5 < share[1] / share[0] < 2  # lines of a fixed width would give 1/4


def test_confidence_is_opacity():
    """Worked out: 0.3 + 0.7 * 0.5 = 0.65 of the way from the picture to the colour."""
    drawn = draw_pose(GRAY, POINTS, SEEN, [], np.array([7.0, 0.5, np.nan]))
    for (x, y), color, share in zip(
        POINTS.astype(int), keypoint_colors(3), (1.0, 0.65, 0.3)
    ):
        expected = 128 + share * (np.array(color) - 128.0)
        np.testing.assert_allclose(drawn[y, x], expected, atol=1)


def test_keypoints_far_outside_or_nan_draw_nothing_odd():
    points = np.array([[-1e9, 1e9], [np.nan, 3.0], [32.0, 48.0]])
    drawn = draw_pose(GRAY, points, SEEN, [[0, 1]])
    assert changed(drawn, 32, 48)
    assert not changed(drawn, 32, 16)


def test_hollow_keypoint_is_a_ring_without_edges():
    seen = np.array([True, False, True])
    drawn = draw_pose(
        np.full((256, 256, 3), 128, np.uint8),
        POINTS * 4,
        seen,
        [[0, 1], [1, 2]],
        is_hollow=~seen,
    )
    x, y = POINTS[1].astype(int) * 4
    assert tuple(drawn[y, x]) == (128, 128, 128)
    ring = drawn[y, x - 8 : x + 9]
    assert (ring == keypoint_colors(3)[1]).all(axis=-1).any()
    assert tuple(drawn[y, 128]) == (128, 128, 128)  # no edge from the first keypoint


def test_68_colours_are_distinct_and_stable():
    colors = np.array(keypoint_colors(68), dtype=float)
    assert keypoint_colors(9) == keypoint_colors(68)[:9]
    assert keypoint_colors(0) == ()
    gaps = np.linalg.norm(colors[:, None] - colors[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() > 20
    assert gaps[:12, :12].min() > 80
