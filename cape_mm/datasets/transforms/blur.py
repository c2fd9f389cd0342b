"""Blur of one instance: out of focus, or moved while the shutter was open."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...utils.value_checks import check_range

SAMPLES_PER_PIXEL = 8
"""How finely a motion's path is sampled."""


@TRANSFORMS.register_module()
class RandomGaussianBlur(BaseTransform):
    """Blur the crop as a lens out of focus does; keypoints stay.

    Convention: strength is a fraction of the crop's side, so that it means the same at
    every input size.

    Args:
        sigma: smallest and largest standard deviation, as fractions of the crop's side.
        prob: share of instances that are blurred.

    Raises:
        ConfigError: ``sigma`` is not 0 < low <= high.
    """

    def __init__(
        self, sigma: tuple[float, float] = (0.002, 0.008), prob: float = 0.15
    ) -> None:
        self.sigma = check_range('sigma', sigma)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng: np.random.Generator = results['rng']
        if rng.random() >= self.prob:
            return results
        sigma = rng.uniform(*self.sigma) * max(results['img'].shape[:2])
        results['img'] = cv2.GaussianBlur(
            results['img'], (0, 0), sigma, borderType=cv2.BORDER_REPLICATE
        )
        return results


@TRANSFORMS.register_module()
class RandomMotionBlur(BaseTransform):
    """Smear the crop along a straight line, in a random direction; keypoints stay.

    The line is centred on every pixel, so a keypoint is the middle of its own smear.

    Args:
        length: smallest and largest length of the line, as fractions of the crop's
            side.
        prob: share of instances that are blurred.

    Raises:
        ConfigError: ``length`` is not 0 < low <= high.
    """

    def __init__(
        self, length: tuple[float, float] = (0.01, 0.04), prob: float = 0.15
    ) -> None:
        self.length = check_range('length', length)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng: np.random.Generator = results['rng']
        if rng.random() >= self.prob:
            return results
        length = rng.uniform(*self.length) * max(results['img'].shape[:2])
        kernel = motion_kernel(length, rng.uniform(0, np.pi))
        results['img'] = cv2.filter2D(
            results['img'], -1, kernel, borderType=cv2.BORDER_REPLICATE
        )
        return results


def motion_kernel(length: float, angle: float) -> np.ndarray:
    """Weights of a line through the kernel's centre.

    Args:
        length: in pixels, >= 0.
        angle: direction in radians, from +x towards +y.

    Returns:
        float64 (k, k) with k odd, point-symmetric, of sum 1.
    """
    radius = int(np.ceil(length / 2))
    num_samples = max(3, int(length * SAMPLES_PER_PIXEL) | 1)  # odd: one in the middle
    path = np.linspace(-length / 2, length / 2, num_samples)
    cells = np.arange(-radius, radius + 1)
    # every sample is shared by the four cells around it
    across = np.clip(1 - abs(cells - np.cos(angle) * path[:, None]), 0, None)
    down = np.clip(1 - abs(cells - np.sin(angle) * path[:, None]), 0, None)
    kernel = down.T @ across
    return kernel / kernel.sum()
