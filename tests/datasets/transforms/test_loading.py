"""Reading one image: pixels, cache, one exception per way to fail; and packing it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from cape_mm.datasets.transforms import (
    InstanceCrop,
    LoadInstanceImage,
    PackInstance,
    WarpInstance,
)
from cape_mm.datasets.transforms.loading import MIB, ImageCache
from cape_mm.errors import (
    EmptyAnnotationError,
    ImageDecodeError,
    ImageNotFoundError,
    InstanceLoadError,
)

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def load(path):
    return LoadInstanceImage()(dict(img_path=str(path)))


def test_pixels_are_bgr_rows_by_columns(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), NOISE)
    results = load(tmp_path / 'a.png')
    np.testing.assert_array_equal(results['img'], NOISE)
    assert results['img_shape'] == results['ori_shape'] == (24, 32)


@pytest.mark.parametrize('name', ['no.jpg', 'no_folder/no.jpg'])
def test_missing_file(tmp_path, name):
    with pytest.raises(ImageNotFoundError, match='image not found: .*no.jpg') as info:
        load(tmp_path / name)
    assert isinstance(info.value, InstanceLoadError)
    assert isinstance(info.value, FileNotFoundError)
    assert info.value.reason == 'image not found'


def jpeg():
    return cv2.imencode('.jpg', NOISE)[1].tobytes()


@pytest.mark.parametrize(
    'content',
    [b'', b'<html>404 Not Found</html>', jpeg()[:20], bytes(1000), b'\xff' + jpeg()],
    ids=['zero bytes', 'text', 'only a header', 'zeros', 'shifted'],
)
def test_file_that_is_no_image(tmp_path, content):
    path = tmp_path / 'a.jpg'
    path.write_bytes(content)
    message = rf'does not decode \({len(content):,} bytes\): .*a\.jpg'
    with pytest.raises(ImageDecodeError, match=message) as info:
        load(path)
    assert isinstance(info.value, InstanceLoadError)
    assert isinstance(info.value, ValueError)
    assert info.value.reason == 'image does not decode'


def dot(size, point, sigma):
    """A soft white dot on black, (H, W, 3); size is (w, h)."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    value = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * sigma**2))
    return np.repeat(np.round(255 * value).astype(np.uint8)[..., None], 3, axis=2)


def centroid(img):
    """Centre of mass (x, y)."""
    mass = img[..., 0].astype(np.float64)
    x, y = np.meshgrid(np.arange(mass.shape[1]), np.arange(mass.shape[0]))
    return np.array([(x * mass).sum(), (y * mass).sum()]) / mass.sum()


def write_jpeg(path, picture, orientation=1):
    """A JPEG with an EXIF orientation, where that is not 1."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {} if orientation == 1 else dict(exif=exif)
    Image.fromarray(picture).save(path, quality=98, **options)


def crop(path, bbox, point, input_size=(64, 64), **crop_fields):
    """The warped image and keypoint, decoded in full and reduced."""
    both = []
    for reduce_to in (None, input_size):
        results = dict(
            img_path=str(path),
            bbox=np.array(bbox, dtype=float),
            keypoints_orig=np.array([point], dtype=np.float32),
        )
        results = LoadInstanceImage(reduce_to=reduce_to)(results)
        results = {**InstanceCrop()(results), **crop_fields}
        both.append(WarpInstance(input_size)(results))
    return both


@pytest.mark.parametrize('reduction', [2, 4, 8])
@pytest.mark.parametrize('turn', [{}, dict(crop_rotation=25.0, flip=True)])
def test_a_dot_lies_at_its_keypoint_whatever_the_scale(tmp_path, reduction, turn):
    side, point = 64 * reduction, (40.3 * reduction, 37.6 * reduction)
    size = (side + 13, side + 5)  # no multiple: the last blocks are incomplete
    write_jpeg(tmp_path / 'a.jpg', dot(size, point, 3.0 * reduction))
    box = (2.0, 1.0, side, side - 9.0)
    full, reduced = crop(tmp_path / 'a.jpg', box, point, **turn)
    assert (full['img_reduction'], reduced['img_reduction']) == (1, reduction)
    for key in ('keypoints', 'crop_to_image'):
        np.testing.assert_array_equal(full[key], reduced[key])
    for results in (full, reduced):
        found = centroid(results['img'])
        np.testing.assert_allclose(found, results['keypoints'][0], atol=0.05)
    difference = np.abs(full['img'].astype(int) - reduced['img'])
    assert difference.mean() < 0.5 and difference.max() <= 12


@pytest.mark.parametrize('side, reduction', [(127, 1), (128, 2), (255, 2), (600, 8)])
def test_the_box_keeps_the_pixels_of_the_input(tmp_path, side, reduction):
    write_jpeg(tmp_path / 'a.jpg', dot((640, 640), (300, 300), 20.0))
    _, reduced = crop(tmp_path / 'a.jpg', (10, 10, side, 50), (60, 30))
    assert reduced['img_reduction'] == reduction
    assert reduced['img_shape'] == (640 // reduction, 640 // reduction)


@pytest.mark.parametrize('orientation', [1, 2, 3, 6, 8])
@pytest.mark.parametrize('size', [(320, 256), (323, 259)])
def test_exif_orientation_is_followed_at_every_scale(tmp_path, orientation, size):
    write_jpeg(tmp_path / 'a.jpg', dot(size, (100, 60), 8.0), orientation)
    loaded = cv2.imread(str(tmp_path / 'a.jpg'))  # turned by EXIF
    point = centroid(loaded)
    full, reduced = crop(tmp_path / 'a.jpg', (0, 0, 250, 250), point)
    np.testing.assert_array_equal(load(tmp_path / 'a.jpg')['img'], loaded)
    is_whole = size == (320, 256) or orientation == 1
    assert reduced['img_reduction'] == (2 if is_whole else 1)
    for results in (full, reduced):
        found = centroid(results['img'])
        np.testing.assert_allclose(found, results['keypoints'][0], atol=0.05)


@pytest.mark.parametrize('kwargs', [{}, dict(reduce_to=(64, 64))])
def test_cached_equals_read(tmp_path, kwargs):
    path = tmp_path / 'a.jpg'
    write_jpeg(path, dot((300, 300), (100, 60), 8.0))
    instance = dict(img_path=str(path), bbox=np.array([0, 0, 250, 250.0]))
    load_cached = LoadInstanceImage(cache_mib=1, **kwargs)
    first = load_cached(dict(instance))
    path.unlink()
    second = load_cached(dict(instance))
    assert second['img'] is first['img'] and second['img_reduction'] in (1, 2)
    plain = LoadInstanceImage()
    write_jpeg(path, dot((300, 300), (100, 60), 8.0))
    plain(dict(instance))
    assert not plain.cache.entries


@pytest.mark.parametrize(
    'scale, reduction', [(0.8, 2), (0.83, 4), (1.0, 4), (1.25, 4), (1.7, 8), (0.2, 1)]
)
def test_a_crop_that_is_known_decides(tmp_path, scale, reduction):
    """1,000 pixels of a box to 256: 4.9 source pixels per pixel of the input."""
    write_jpeg(tmp_path / 'a.jpg', dot((250, 250), (120, 90), 12.0))
    results = dict(
        img_path=str(tmp_path / 'a.jpg'),
        bbox=np.array([0.0, 0.0, 249.0, 249.0]),
        keypoints_orig=np.array([[120.0, 90.0]], dtype=np.float32),
    )
    results = InstanceCrop()(results)
    results['crop_side'] *= scale
    results = LoadInstanceImage(reduce_to=(64, 64))(results)
    assert results['img_reduction'] == reduction
    assert results['crop_side'] / reduction >= 64 or reduction == 1
    results = WarpInstance((64, 64))(results)
    if scale >= 0.8:
        found = centroid(results['img'])
        np.testing.assert_allclose(found, results['keypoints'][0], atol=0.15)


def image(value, kib=256):
    return np.full(kib * 1024, value, dtype=np.uint8)


def test_the_bound_holds_and_the_last_used_stay():
    cache = ImageCache(max_mib=1)  # 4 images of 256 KiB
    for name in 'abcd':
        cache.put(name, image(0), 1)
    cache.get('a')
    cache.put('e', image(1), 1)
    assert cache.get('b') is None
    assert all(cache.get(name) is not None for name in 'acde')
    for i in range(50):
        cache.put(i, image(0, kib=1 + 37 * i % 500), 1)
        total = sum(entry.nbytes for entry, _ in cache.entries.values())
        assert cache.num_bytes == total <= MIB


# inside, on the last pixel, beyond it, left of the crop, hidden, hidden and outside
KEYPOINTS = np.array(
    [[5, 6], [31, 23], [31.5, 3], [-0.1, 3], [7, 7], [99, 99]], dtype=np.float32
)
IS_VISIBLE = np.array([True, True, True, True, False, False])


def results(**overrides):
    img = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    defaults = dict(
        img=img,
        keypoints=KEYPOINTS.copy(),
        keypoints_orig=KEYPOINTS + 100,
        is_visible=IS_VISIBLE.copy(),
        bbox=np.array([1.0, 2.0, 3.0, 4.0]),
        ann_id=8,
        img_id=2**53 + 1,
        img_path='cat/a.jpg',
        crop_to_image=np.eye(2, 3),
        input_size=(32, 24),
    )
    return {**defaults, **overrides}


def test_outside_the_crop_is_invisible_in_training():
    packed = PackInstance(hide_outside=True)(results())
    assert packed['is_visible'].tolist() == [True, True, False, False, False, False]
    assert packed['is_visible_orig'].tolist() == IS_VISIBLE.tolist()


def test_outside_the_crop_stays_visible_in_evaluation():
    packed = PackInstance(hide_outside=False)(results())
    assert packed['is_visible'].tolist() == IS_VISIBLE.tolist()


def test_image_is_channels_first_and_still_bgr():
    given = results()
    image = PackInstance(hide_outside=True)(given)['image']
    assert image.dtype == torch.uint8 and image.is_contiguous()
    for channel in range(3):
        np.testing.assert_array_equal(image[channel], given['img'][..., channel])


def test_all_outside_is_an_error_of_its_own_in_training_only():
    far = results(keypoints=KEYPOINTS + 500)
    message = 'annotation 8 has no visible keypoint in its crop: cat/a.jpg'
    with pytest.raises(EmptyAnnotationError, match=message) as info:
        PackInstance(hide_outside=True)(far)
    assert isinstance(info.value, InstanceLoadError)
    assert PackInstance(hide_outside=False)(far)['is_visible'].sum() == 4
