"""Pictures: labels land on the joints, and v, box and area say what is seen."""

import numpy as np
import pytest

from cape_mm.datasets.synthetic import rendering
from cape_mm.datasets.synthetic.categories import make_category
from cape_mm.datasets.synthetic.drawing import SUPERSAMPLING, Canvas
from cape_mm.datasets.synthetic.poses import Region, sample_pose
from cape_mm.datasets.synthetic.rendering import draw_object, render_picture

SIZE = 96


def render(category, seed, **kwargs):
    return render_picture(category, np.random.default_rng(seed), SIZE, **kwargs)


@pytest.fixture
def clean(monkeypatch):
    """No occluder, everything labelled."""
    monkeypatch.setattr(rendering, 'sample_occluders', lambda *args: [])
    monkeypatch.setattr(rendering, 'UNLABELLED_RATE', 0.0)
    return monkeypatch


@pytest.mark.parametrize('category_id', range(1, 10))
def test_labels_land_on_their_knobs(category_id):
    """Oracle: before light and noise, a seen knob's pixel has the knob's colour."""
    category = make_category(category_id, seed=0)
    region = Region(0, 0, 256, 256)
    pose = sample_pose(category, region, np.random.default_rng(category_id))
    canvas = Canvas(np.zeros((256 * SUPERSAMPLING,) * 2 + (3,), np.uint8))
    draw_object(canvas, category, pose)
    image, num_checked = canvas.to_image(), 0
    for k, knob in enumerate(category.knobs):
        x, y = np.rint(pose.keypoints[k]).astype(int)
        is_within = 0 <= x < 256 and 0 <= y < 256
        row, column = SUPERSAMPLING * y, SUPERSAMPLING * x
        if knob and is_within and canvas.owner[row, column] == rendering._KNOB + k:
            np.testing.assert_allclose(image[y, x], knob.colour, atol=2)
            num_checked += 1
    assert num_checked >= len(category.joints) // 2


def test_occluded_keypoint_keeps_its_place_with_v_1(clean):
    category = make_category(2, seed=0)
    free = render(category, 3).instances[0]
    seen = np.flatnonzero(free.keypoints[:, 2] == 2)
    target = free.keypoints[seen[-1], :2]
    corners = target + 4 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    clean.setattr(rendering, 'sample_occluders', lambda *args: [(corners, (9, 9, 9))])
    hidden = render(category, 3).instances[0]
    np.testing.assert_array_equal(hidden.keypoints[:, :2], free.keypoints[:, :2])
    is_covered = (np.abs(free.keypoints[:, :2] - target) < 3.5).all(axis=1)
    is_clear = (np.abs(free.keypoints[:, :2] - target) > 4.5).any(axis=1)
    assert (hidden.keypoints[is_covered, 2] == 1).all()
    np.testing.assert_array_equal(
        hidden.keypoints[is_clear, 2], free.keypoints[is_clear, 2]
    )
    assert hidden.area < free.area


@pytest.mark.parametrize('category_id', range(1, 10))
def test_box_and_keypoints_lie_in_the_image(category_id):
    category = make_category(category_id, seed=1)
    for seed in range(6):
        picture = render(category, seed)
        height, width = picture.image.shape[:2]
        assert min(height, width) == SIZE and max(height, width) <= 1.25 * SIZE
        (instance,) = picture.instances
        x, y, w, h = instance.bbox
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        assert 0 < instance.area <= w * h
        seen = instance.keypoints[instance.keypoints[:, 2] == 2, :2]
        low, high = seen.min(axis=0), seen.max(axis=0)
        assert (low > np.array([x, y]) - 2).all()
        assert (high < np.array([x + w, y + h]) + 2).all()
