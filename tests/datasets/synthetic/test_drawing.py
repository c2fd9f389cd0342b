"""Drawing: what lands where, in the picture and in the owner map."""

import numpy as np
import pytest

from cape_mm.datasets.synthetic.appearance import (
    PART_SHAPES,
    Look,
    Part,
)
from cape_mm.datasets.synthetic.drawing import (
    SUPERSAMPLING,
    Canvas,
    texture_mask,
    to_canvas,
)

RED, BLUE = (0, 0, 255), (255, 0, 0)


@pytest.fixture
def canvas():
    side = 40 * SUPERSAMPLING
    return Canvas(np.zeros((side, side, 3), np.uint8))


def make_part(shape='capsule', texture='plain'):
    return Part(shape, 0.1, 0.1, Look(texture, RED, BLUE, 0.2))


def owner_at(canvas, x, y):
    column, row = np.rint(to_canvas(np.array([x, y]))).astype(int)
    return canvas.owner[row, column]


def test_canvas_pixel_centres_survive_downsampling(canvas):
    square = np.array([[4.5, 9.5], [5.5, 9.5], [5.5, 10.5], [4.5, 10.5]])
    square += [[0.3, 0.3], [-0.3, 0.3], [-0.3, -0.3], [0.3, -0.3]]
    canvas.fill_polygon(square, (255, 255, 255), 1)
    image = canvas.to_image()[..., 0]
    assert np.argwhere(image > 0).tolist() == [[10, 5]]


@pytest.mark.parametrize('shape', PART_SHAPES)
def test_part_covers_its_bone_and_nothing_far_from_it(canvas, shape):
    start, end = np.array([8.0, 20.0]), np.array([32.0, 20.0])
    canvas.draw_part(make_part(shape), start, end, scale=40, owner=7)
    for x in (10, 20, 30):
        assert owner_at(canvas, x, 20) == 7
        assert canvas.to_image()[20, x].tolist() == list(RED)
    for x, y in ((20, 8), (20, 32), (1, 20), (38, 20)):
        assert owner_at(canvas, x, y) == 0


def test_textures_by_hand():
    along, across = np.float32([0.0, 2.0, 4.0, 7.0]), np.float32([0.0, 0.0, 0.0, 2.0])
    assert texture_mask('rings', along, across, 4).tolist() == [1, 0, 1, 0]
    assert texture_mask('stripes', along, across, 4).tolist() == [1, 1, 1, 0]
    assert texture_mask('checker', along, across, 4).tolist() == [1, 0, 1, 1]
    assert texture_mask('dots', along, across + 2, 4).tolist() == [0, 1, 0, 0]
