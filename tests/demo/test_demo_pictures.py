"""What is taken of uploads, and how much."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from demo_cases import LIMITS, png
from PIL import Image
from predict_cases import make_picture

from cape_mm.demo.pictures import PREVIEW_SIDE, clean_name, read_upload
from cape_mm.errors import ConfigError, ImageDecodeError

JPEG = cv2.imencode('.jpg', make_picture(0))[1].tobytes()


def grey(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new('L', (width, height)).save(stream, 'png')
    return stream.getvalue()


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (JPEG[: len(JPEG) // 2], 'is cut off'),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'SVG'),
        (b'', 'is empty'),
        (b'\0' * 500, 'does not decode'),
        (png(0, (15, 40)), 'only 15 x 40'),
        (bytes(100_001), 'at most 100,000'),
        (grey(10_000, 6_001), 'too large: 10000 x 6001'),
    ],
)
def test_what_can_not_be_used_is_named(content, reason):
    with pytest.raises(ImageDecodeError, match=f'a.png: .*{reason}'):
        read_upload('a.png', content, LIMITS)


@pytest.mark.parametrize(
    ('name', 'cleaned'),
    [
        ('../../etc/pass\nwd.jpg', 'passwd.jpg'),
        ('C:\\a\\gut ü (1).jpg', 'gut ü (1).jpg'),
        ('\u202e\0', 'picture'),
        ('a/..', 'picture'),
        ('a' * 300 + '.jpg', 'a' * 116 + '.jpg'),
    ],
)
def test_names_lose_folders_and_what_can_not_be_seen(name, cleaned):
    assert clean_name(name) == cleaned


def test_a_large_picture_is_shown_smaller_and_kept_as_it_is():
    side = PREVIEW_SIDE + 200
    content = cv2.imencode('.jpg', make_picture(0, (side, 100)))[1].tobytes()
    picture, preview = read_upload('a.jpg', content, LIMITS)
    shown = cv2.imdecode(np.frombuffer(preview, np.uint8), cv2.IMREAD_COLOR)
    assert picture.size == (side, 100)
    assert shown.shape[1] == PREVIEW_SIDE
    np.testing.assert_array_equal(
        picture.image(), cv2.imdecode(np.frombuffer(content, np.uint8), 1)
    )


def test_crops_are_made_once_for_the_same_boxes(inferencer):
    picture, _ = read_upload('a.png', png(0), LIMITS)
    boxes = [None, (3, 4, 30, 20)]
    task = picture.crop(inferencer, boxes)
    assert task.result.boxes[:, :2].tolist() == [[0, 0], [3, 4]]
    assert picture.crop(inferencer, list(boxes)) is task
    assert picture.crop(inferencer, boxes[:1]) is not task
    with pytest.raises(ConfigError, match='no area inside the picture'):
        picture.crop(inferencer, [(100, 100, 5, 5)])
