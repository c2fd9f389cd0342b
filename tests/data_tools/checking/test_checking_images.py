"""Image files: which are there, whose they are, which decode."""

import os
import signal

import cv2
import numpy as np
import pytest
from PIL import Image

from cape_mm.data_tools.checking import images as decoding
from cape_mm.data_tools.checking.images import (
    ImageFile,
    collect_images,
    count_images,
    decode_image,
    decode_images,
    find_file_problem,
    image_findings,
)
from cape_mm.datasets.annotation_file import read_annotation_file
from cape_mm.datasets.categories import read_categories
from cape_mm.errors import ImageDecodeError


def test_kinds_of_absence(tmp_path):
    good = tmp_path / 'good.jpg'
    good.write_bytes(b'x')
    (tmp_path / 'empty.jpg').touch()
    (tmp_path / 'folder.jpg').mkdir()
    (tmp_path / 'link.jpg').symlink_to(good)
    (tmp_path / 'broken.jpg').symlink_to(tmp_path / 'gone.jpg')
    (tmp_path / 'loop.jpg').symlink_to(tmp_path / 'pool.jpg')
    (tmp_path / 'pool.jpg').symlink_to(tmp_path / 'loop.jpg')
    os.mkfifo(tmp_path / 'pipe.jpg')
    names = dict(good=None, empty='empty file', folder='is a directory', link=None)
    names |= dict(broken='broken link', loop='link that leads in a circle')
    names |= dict(pipe='no regular file', gone='missing')
    for name, problem in names.items():
        assert find_file_problem(str(tmp_path / f'{name}.jpg')) == problem, name
    assert find_file_problem(str(good / 'below.jpg')) == 'missing'
    assert find_file_problem(str(tmp_path / ('x' * 300))) == 'File name too long'


def collect(path, folder, images):
    coco = read_annotation_file(path)
    lists = coco.dataset
    categories = read_categories(lists['categories'], lists['annotations'], 'f')
    return collect_images(coco, categories, str(folder), images)


@pytest.fixture
def mp100_tree(coco_tree):
    """Two MP-100 categories of one source, one of another, one beyond MP-100."""
    for key, folder in ((2, 'horse_body'), (3, 'dog_body'), (40, 'human_face')):
        coco_tree.add_category(key, name=folder)
        for _ in range(3):
            coco_tree.add_annotation(coco_tree.add_image(folder), key)
    coco_tree.add_category(7, name='toy')
    coco_tree.add_annotation(coco_tree.add_image('human_hand'), 7)
    for image_id in (1, 2, 4):
        coco_tree.image_path(image_id).unlink()
    return coco_tree


def test_counts_by_source(mp100_tree):
    images = {}
    by_id = collect(mp100_tree.write(), mp100_tree.image_folder, images)
    assert len(by_id) == len(images) == 10
    assert [tuple(row.values()) for row in count_images(images.values())] == [
        ('AP-10K', 6, 3),
        ('300W', 3, 0),
        ('human_hand', 1, 0),  # not OneHand10K: the category is another
    ]
    (finding,) = image_findings(images.values())
    expected = [str(mp100_tree.image_path(image_id)) for image_id in (1, 2, 4)]
    assert (finding.kind, list(finding.items)) == ('image: missing', expected)


def test_sizes_that_disagree():
    image = ImageFile('a.jpg', 'zoo', sizes={(40, 30)}, size_on_disk=(30, 40))
    same = ImageFile('b.jpg', 'zoo', sizes={(40, 30)}, size_on_disk=(40, 30))
    two = ImageFile('c.jpg', 'zoo', sizes={(40, 30), (4, 3)}, size_on_disk=(40, 30))
    (finding,) = image_findings([image, same, two])
    assert finding.kind == 'image size differs from the JSON'
    assert finding.items == (
        'a.jpg (30x40 on disk, 40x30 in the JSON; turned, perhaps by its EXIF '
        'orientation)',
        'c.jpg (40x30 on disk, 4x3, 40x30 in the JSON)',
    )


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
    assert 'decoding 30 images' in streams.err
    assert len(streams.err.splitlines()) < 7  # a log file, not a screen


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
