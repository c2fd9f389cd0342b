"""Decoding: what training would see, what it could not see, and workers that die."""

import os
import signal

import cv2
import numpy as np
import pytest
from PIL import Image

from cape_mm.data_tools.checking import images as decoding
from cape_mm.data_tools.checking.images import ImageFile, decode_image, decode_images
from cape_mm.errors import ImageDecodeError

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


def write(path, picture=PICTURE):
    assert cv2.imwrite(str(path), picture)
    return path


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp', 'webp'])
def test_sound_image(tmp_path, suffix):
    assert decode_image(str(write(tmp_path / f'a.{suffix}'))) == (None, (60, 40))


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
@pytest.mark.parametrize('share', [0.5, 0.9])
def test_cut_off_image(tmp_path, suffix, share):
    path = write(tmp_path / f'a.{suffix}')
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert decode_image(str(path)) == ('is cut off: its end is missing', None)


def test_bytes_after_the_end_are_fine(tmp_path):
    path = write(tmp_path / 'a.jpg')
    # as phones append a short video
    path.write_bytes(path.read_bytes() + b'\0' * 100_000)
    assert decode_image(str(path)) == (None, (60, 40))


def test_the_end_of_a_preview_is_not_the_end(tmp_path):
    path = write(tmp_path / 'a.jpg')
    content = path.read_bytes()
    preview = b'Exif\0\0' + content
    segment = b'\xff\xe1' + (len(preview) + 2).to_bytes(2, 'big') + preview
    whole = content[:2] + segment + content[2:]
    path.write_bytes(whole)
    assert decode_image(str(path)) == (None, (60, 40))
    path.write_bytes(whole[:-300])
    assert decode_image(str(path)) == ('is cut off: its end is missing', None)


@pytest.mark.parametrize(
    'content', [b'hello', b'\xff\xd8\xff\xe0\xff\xd9', b'<html></html>']
)
def test_no_image(tmp_path, content):
    path = tmp_path / 'a.jpg'
    path.write_bytes(content)
    assert decode_image(str(path)) == ('does not decode', None)


def test_size_is_that_after_the_turn(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    path = tmp_path / 'a.jpg'
    Image.fromarray(PICTURE).save(path, exif=exif)
    assert decode_image(str(path)) == (None, (40, 60))


@pytest.mark.parametrize('num_workers', [1, 2])
def test_results_keep_their_order(tmp_path, num_workers, capsys):
    images = []
    for width in range(10, 40):
        path = write(tmp_path / f'{width}.png', PICTURE[:8, :width])
        images.append(ImageFile(str(path), 'zoo'))
    (tmp_path / '20.png').write_bytes(b'no image')
    decode_images(images, num_workers)
    sizes = [(width, 8) if width != 20 else None for width in range(10, 40)]
    assert [image.size_on_disk for image in images] == sizes
    assert [i for i, im in enumerate(images) if im.decode_problem] == [10]
    streams = capsys.readouterr()
    assert streams.out == ''
    assert 'Decoding 30 images' in streams.err
    assert '30/30' in streams.err
    assert streams.err.count('/30,') <= 7  # a log file, not a screen


def die_on_bad(path):
    if path.endswith('bad.png'):
        os.kill(os.getpid(), signal.SIGKILL)
    return None, (1, 1)


def test_worker_that_dies_is_an_error_and_no_endless_wait(monkeypatch):
    monkeypatch.setattr(decoding, 'decode_image', die_on_bad)
    names = [f'{i}.png' for i in range(20)] + ['bad.png']
    images = [ImageFile(name, 'zoo') for name in names]
    with pytest.raises(ImageDecodeError, match=r'died while decoding.*bad\.png'):
        decode_images(images, 2)
