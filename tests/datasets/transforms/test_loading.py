"""Reading one image: its pixels, and one exception type per way to fail."""

import cv2
import numpy as np
import pytest

from cape_mm.datasets.transforms import LoadInstanceImage
from cape_mm.errors import ImageDecodeError, ImageNotFoundError, InstanceLoadError

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def load(path):
    return LoadInstanceImage()(dict(img_path=str(path)))


def test_pixels_are_bgr_rows_by_columns(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), NOISE)
    results = load(tmp_path / 'a.png')
    np.testing.assert_array_equal(results['img'], NOISE)
    assert results['img_shape'] == results['ori_shape'] == (24, 32)


def test_grey_file_gets_three_channels(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), NOISE[..., 0])
    expected = np.repeat(NOISE[..., :1], 3, axis=2)
    np.testing.assert_array_equal(load(tmp_path / 'a.png')['img'], expected)


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
