"""Pictures of all kinds: as training decodes them, or refused with a reason."""

from __future__ import annotations

import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image
from predict_cases import make_picture

from cape_mm.datasets.transforms import LoadInstanceImage
from cape_mm.errors import ImageDecodeError, ImageNotFoundError
from cape_mm.inference import pictures
from cape_mm.inference.pictures import (
    ANIMATED_NOTE,
    decode_picture,
    from_array,
    from_pillow,
    read_picture,
)

SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'
EXIF_ORIENTATION = 274


def encode(image: Image.Image, kind: str, **options) -> bytes:
    """Bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(mode: str = 'RGB') -> Image.Image:
    """A picture of 64 x 60 pixels."""
    return Image.fromarray(make_picture(0)[..., ::-1].copy()).convert(mode)


def turned(orientation: int) -> bytes:
    """A JPEG that EXIF asks to turn."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    return encode(picture(), 'JPEG', exif=exif)


def deep(suffix: str) -> bytes:
    """A picture of 16 bits per channel."""
    return cv2.imencode(suffix, make_picture(0).astype(np.uint16) * 256)[1].tobytes()


KINDS = {
    'grey': encode(picture('L'), 'JPEG'),
    'grey png': encode(picture('L'), 'PNG'),
    'two colours': encode(picture('1'), 'PNG'),
    'palette': encode(picture('P'), 'PNG'),
    'alpha': encode(picture('RGBA'), 'PNG'),
    'cmyk': encode(picture('CMYK'), 'JPEG'),
    'turned': turned(6),
    'mirrored': turned(2),
    '16 bits': deep('.png'),
    'tiff 16 bits': deep('.tiff'),
    'webp': encode(picture(), 'WEBP'),
    'bmp': encode(picture(), 'BMP'),
}


@pytest.mark.parametrize('name', KINDS)
def test_decoded_as_training_does(name, tmp_path):
    path = tmp_path / 'picture.any'
    path.write_bytes(KINDS[name])
    expected = LoadInstanceImage().transform(dict(img_path=str(path)))['img']
    result = read_picture(path)
    np.testing.assert_array_equal(result.image, expected)
    assert result.image.dtype == np.uint8 and result.image.shape[2] == 3
    assert result.notes == ()
    size = (60, 64) if name == 'turned' else (64, 60)
    assert result.image.shape[1::-1] == size


@pytest.mark.parametrize('name', ['grey', 'palette', 'alpha', '16 bits', 'bmp'])
def test_lossless_pictures_keep_their_colours(name):
    image = decode_picture(KINDS[name]).image
    expected = make_picture(0)
    if name == 'grey':
        expected = cv2.cvtColor(expected, cv2.COLOR_BGR2GRAY)[..., None]
    limit = 60 if name == 'palette' else 12
    assert np.abs(image.astype(int) - expected).max() <= limit


@pytest.mark.parametrize('kind', ['TIFF', 'GIF'])
def test_what_opencv_can_not_read_pillow_reads(kind, monkeypatch):
    """Older versions know neither GIF nor CMYK in TIFF."""

    def refuse(data, flags):
        if kind == 'GIF':
            return None
        raise cv2.error('unknown compression')

    monkeypatch.setattr(pictures.cv2, 'imdecode', refuse)
    image = decode_picture(encode(picture('CMYK' if kind == 'TIFF' else 'P'), kind))
    difference = np.abs(image.image.astype(int) - make_picture(0))
    assert difference.mean() < 20  # a palette of few colours
    with pytest.raises(ImageDecodeError, match='does not decode'):
        decode_picture(b'plain words')


@pytest.mark.parametrize('kind', ['GIF', 'WEBP', 'PNG'])
def test_animated_pictures_give_their_first_frame_and_a_note(kind):
    other = picture().transpose(Image.Transpose.ROTATE_180)
    options = dict(save_all=True, append_images=[other], duration=100, lossless=True)
    result = decode_picture(encode(picture(), kind, **options))
    assert result.notes == (ANIMATED_NOTE,)
    assert np.abs(result.image.astype(int) - make_picture(0)).mean() < 20


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'is empty'),
        (SVG, 'text such as SVG'),
        (b'\xef\xbb\xbf  \n' + SVG, 'text such as SVG'),
        (b'<!DOCTYPE html>', 'text such as SVG'),
        (b'plain words', 'does not decode'),
        (encode(picture(), 'JPEG')[:-300], 'cut off'),
        (encode(picture(), 'PNG')[:-300], 'cut off'),
        (encode(picture(), 'PNG')[:30], 'cut off|does not decode'),
        (encode(picture(), 'BMP')[:80], 'does not decode'),
        (encode(picture(), 'GIF')[:40], 'does not decode'),
        (bytes(1000), 'does not decode'),
    ],
)
def test_what_is_no_picture_is_refused(content, message):
    with pytest.raises(ImageDecodeError, match=message):
        decode_picture(content)


def test_files_that_can_not_be_read(tmp_path):
    with pytest.raises(ImageNotFoundError, match='no such file'):
        read_picture(tmp_path / 'none.png')
    os.symlink('loop.png', tmp_path / 'loop.png')
    with pytest.raises(ImageDecodeError, match='can not be read: Too many levels'):
        read_picture(tmp_path / 'loop.png')


@pytest.mark.parametrize('kind', ['fifo', 'folder'])
def test_what_is_no_file_is_refused_without_waiting(kind, tmp_path):
    path = tmp_path / 'picture.png'
    path.mkdir() if kind == 'folder' else os.mkfifo(path)
    with pytest.raises(ImageDecodeError, match='is no file but'):
        read_picture(path)


def test_pictures_of_phones_are_named():
    content = bytes([0, 0, 0, 24]) + b'ftypheic' + bytes(100)
    with pytest.raises(ImageDecodeError, match='HEIC.*export it as JPEG'):
        decode_picture(content)


def test_sixteen_bits_of_which_few_are_used_give_a_note():
    """As cameras of 12 bits write them: the upper byte holds next to nothing."""
    dark = make_picture(0)[..., 0].astype(np.uint16) * 8
    (note,) = decode_picture(cv2.imencode('.tiff', dark)[1].tobytes()).notes
    assert 'nearly black' in note and '16 bits' in note
    assert decode_picture(deep('.tiff')).notes == ()


@pytest.mark.parametrize('values', ['float', 'large'])
def test_numbers_that_are_no_brightness_are_refused(values):
    if values == 'float':
        image, message = Image.new('F', (20, 20), 0.5), 'floating-point'
    else:
        image, message = Image.new('I', (20, 20), 70_000), '8 or 16 bits'
    with pytest.raises(ImageDecodeError, match=message):
        from_pillow(image)
    with pytest.raises(ImageDecodeError, match=message):
        decode_picture(encode(image, 'TIFF'))


def test_a_hundred_megapixels_are_read_and_more_refused_unread(monkeypatch):
    large = Image.new('L', (10_000, 10_000), 128)
    content = encode(large, 'JPEG', quality=10)
    assert decode_picture(content).image.shape == (10_000, 10_000, 3)
    with pytest.raises(ImageDecodeError, match='10000 x 10000, at most 1,000,000'):
        decode_picture(content, max_pixels=1_000_000)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)  # Pillow's own limit
    with pytest.raises(ImageDecodeError, match='is too large'):
        decode_picture(content)
    # the header alone decides: nothing was decoded
    monkeypatch.setattr(pictures, '_decode', lambda content: 1 / 0)
    with pytest.raises(ImageDecodeError):
        decode_picture(content, max_pixels=1_000_000)


def test_arrays_and_pillow():
    bgr = make_picture(0)
    np.testing.assert_array_equal(from_array(bgr), bgr)
    alpha = np.concatenate([bgr, bgr[..., :1]], axis=2)
    np.testing.assert_array_equal(from_array(alpha), bgr)
    for grey in (bgr[..., 0], bgr[..., :1]):
        assert from_array(grey).shape == bgr.shape
    wide = bgr.astype(np.uint16) * 256 + 255
    np.testing.assert_array_equal(from_array(wide), bgr)
    pillow = Image.fromarray(bgr[..., ::-1].copy())
    np.testing.assert_array_equal(from_pillow(pillow), bgr)
    deep = Image.fromarray(wide[..., 0])
    np.testing.assert_array_equal(from_pillow(deep)[..., 0], bgr[..., 0])
    with Image.open(io.BytesIO(turned(6))) as one:
        assert from_pillow(one).shape == (64, 60, 3)


@pytest.mark.parametrize(
    ('array', 'message'),
    [
        (np.zeros((4, 4, 2), np.uint8), r'got \(4, 4, 2\)'),
        (np.zeros((0, 4, 3), np.uint8), r'got \(0, 4, 3\)'),
        (np.zeros(4, np.uint8), r'got \(4,\)'),
        (np.zeros((4, 4, 3), np.float32), 'got float32'),
        (np.zeros((4, 4, 3), bool), 'got bool'),
    ],
)
def test_arrays_that_are_no_pictures(array, message):
    with pytest.raises(ImageDecodeError, match=message):
        from_array(array)
