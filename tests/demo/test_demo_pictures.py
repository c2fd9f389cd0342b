"""What is taken of uploads, and how much."""

from __future__ import annotations

import io

import cv2
import pytest
from demo_cases import png
from PIL import Image
from predict_cases import make_picture

from cape_mm.demo import DemoSession, Limits
from cape_mm.errors import ConfigError, ImageDecodeError


def test_bad_uploads_are_named_and_the_others_taken(session):
    jpeg = cv2.imencode('.jpg', make_picture(0))[1].tobytes()
    files = [
        ('cut.jpg', jpeg[: len(jpeg) // 2]),
        ('../../etc/pass\nwd.jpg', jpeg),
        ('drawing.png', b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ('tiny.png', png(0, (15, 40))),
        ('C:\\a\\gut ü (1).jpg', jpeg),
        ('gut ü (1).jpg', jpeg),
        ('one more.jpg', jpeg),
    ]
    refused = session.add_queries(files)
    names = [pose.picture.name for pose in session.labels.queries]
    assert names == ['passwd.jpg', 'gut ü (1).jpg', 'gut ü (1) (2).jpg']
    reasons = ('cut.jpg: is cut off', 'SVG', '15 x 40', 'only 3 pictures')
    assert len(refused) == len(reasons)
    assert all(reason in text for reason, text in zip(reasons, refused))


def test_size_of_a_file_and_of_a_picture_is_bounded(inferencer):
    session = DemoSession(inferencer, Limits(max_file_bytes=2000, max_pixels=5000))
    with pytest.raises(ImageDecodeError, match='at most 2,000'):
        session.add_support('a.png', bytes(2001))
    stream = io.BytesIO()
    Image.new('L', (100, 51)).save(stream, 'png')
    with pytest.raises(ImageDecodeError, match='too large: 100 x 51'):
        session.add_support('a.png', stream.getvalue())


def test_removed_pictures_can_not_be_undone_back_into_memory(predicted):
    predicted.clear_queries()
    assert predicted.labels.queries == ()
    with pytest.raises(ConfigError, match='nothing to undo'):
        predicted.undo()


def test_number_of_support_pictures_is_bounded(marked):
    marked.add_support('b.png', png(1))
    with pytest.raises(ConfigError, match='at most 2'):
        marked.add_support('c.png', png(2))
    marked.remove_support()
    marked.remove_support()
    assert marked.labels.names  # points and names outlive the pictures
    marked.add_support('c.png', png(2))
    assert not marked.current_shot().is_placed.any()
