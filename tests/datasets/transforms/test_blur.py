"""Blur: light is spread, not moved; keypoints stay."""

import numpy as np
import pytest

from cape_mm.datasets.transforms import RandomGaussianBlur, RandomMotionBlur
from cape_mm.datasets.transforms.blur import motion_kernel

KINDS = [RandomGaussianBlur, RandomMotionBlur]
every_kind = pytest.mark.parametrize('kind', KINDS)
NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
STRENGTH = {RandomGaussianBlur: 'sigma', RandomMotionBlur: 'length'}


def make(kind, prob=1.0, strength=(0.04, 0.12)):
    """A blur that shows on the small pictures of these tests."""
    return kind(**{STRENGTH[kind]: strength}, prob=prob)


def run(transform, img=NOISE, seed=0):
    keypoints = np.array([[3.0, 4.0]], np.float32)
    results = dict(img=img, keypoints=keypoints, rng=np.random.default_rng(seed))
    out = transform(results)
    assert out['keypoints'] is keypoints
    return out['img']


def spread(kernel):
    """Mean and covariance of a picture's mass, in (x, y)."""
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]]
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
    weights = kernel.ravel() / kernel.sum()
    mean = weights @ points
    return mean, (points - mean).T @ ((points - mean) * weights[:, None])


@every_kind
def test_a_dot_stays_in_its_place_and_becomes_wider(kind):
    img = np.zeros((65, 65, 3), np.uint8)
    img[28:33, 38:43] = 255
    for seed in range(10):
        out = run(make(kind), img, seed)
        mean, covariance = spread(out[..., 0].astype(float))
        np.testing.assert_allclose(mean, [40, 30], atol=0.06)
        assert np.trace(covariance) > 1.02 * np.trace(spread(img[..., 0])[1])


def test_gaussian_has_the_width_asked_for():
    img = np.zeros((101, 101, 3), np.uint8)
    img[50, 50] = 255
    out = run(RandomGaussianBlur(sigma=(0.02, 0.02), prob=1), img)
    # 2 pixels: the peak of a Gaussian is 1 / (2 pi sigma^2)
    assert abs(int(out[50, 50, 0]) - 255 / (2 * np.pi * 4)) <= 1


@pytest.mark.parametrize('angle', [0, 30, 90, 135])
@pytest.mark.parametrize('length', [0.0, 1.0, 6.0, 9.5])
def test_kernel_is_a_centred_line(length, angle):
    kernel = motion_kernel(length, np.deg2rad(angle))
    assert kernel.shape[0] % 2 == 1 and kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)
    mean, covariance = spread(kernel)
    np.testing.assert_allclose(mean, kernel.shape[0] // 2, atol=1e-9)
    along = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    across = along[::-1] * [-1, 1]
    # a line has the variance length^2 / 12; sharing between cells adds up to 1/4
    assert along @ covariance @ along == pytest.approx(length**2 / 12, abs=0.5)
    assert across @ covariance @ across < 0.3


@pytest.mark.parametrize('bad', [(0, 1), (2, 1), (1,)])
def test_bad_range(bad):
    with pytest.raises(ValueError, match='sigma must be a pair .* 0 < low <= high'):
        RandomGaussianBlur(sigma=bad)
    with pytest.raises(ValueError, match='length must be a pair .* 0 < low <= high'):
        RandomMotionBlur(length=bad)
