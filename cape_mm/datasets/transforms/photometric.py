"""Colour augmentation of one instance."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

LEVELS = np.arange(256, dtype=np.float64)
"""All values of a byte: a table holds what becomes of each."""


@TRANSFORMS.register_module()
class RandomPhotometric(BaseTransform):
    """Brightness, contrast, saturation, hue and grey, drawn per instance.

    Support and query are drawn independently: a model must not rely on equal light.

    Args:
        brightness: largest relative change of brightness.
        contrast: largest relative change of contrast around the mean.
        saturation: largest relative change of saturation.
        hue: largest turn of hue in degrees.
        grey_prob: share of images that lose their colour.
        prob: share of instances that are augmented at all.
    """

    def __init__(
        self,
        brightness: float = 0.25,
        contrast: float = 0.25,
        saturation: float = 0.25,
        hue: float = 8.0,
        grey_prob: float = 0.0,
        prob: float = 0.8,
    ) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.grey_prob = grey_prob
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng: np.random.Generator = results['rng']
        if rng.random() < self.prob:
            results['img'] = self._jitter(results['img'], rng)
        if rng.random() < self.grey_prob:
            grey = cv2.cvtColor(results['img'], cv2.COLOR_BGR2GRAY)
            results['img'] = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        return results

    def _jitter(self, img: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        gain = 1 + rng.uniform(-self.brightness, self.brightness)
        slope = 1 + rng.uniform(-self.contrast, self.contrast)
        turn = rng.uniform(-self.hue, self.hue) / 2  # OpenCV: 180 hue steps
        boost = 1 + rng.uniform(-self.saturation, self.saturation)
        # every change maps a byte to a byte: tables are faster than floats
        mean = sum(cv2.mean(img)[:3]) / 3
        offset = gain * (1 - slope) * mean
        img = cv2.LUT(img, _to_bytes(LEVELS * (gain * slope) + offset))
        return map_hsv(img, hue=LEVELS + turn, saturation=LEVELS * boost)


def map_hsv(
    img: np.ndarray, hue: np.ndarray = LEVELS, saturation: np.ndarray = LEVELS
) -> np.ndarray:
    """Give every hue and every saturation another one; the HSV value stays.

    Convention:
        - hue is in OpenCV's steps of 2 degrees, 180 of them: red 0, green 60, blue 120
        - what has no saturation stays grey, whatever the tables, as long as that of
          saturation starts with 0

    Args:
        img: uint8 BGR (H, W, 3).
        hue: what becomes of each hue, (256,) of which 180 count; is rounded, and any
            number wraps around the circle.
        saturation: what becomes of each saturation, (256,); is rounded and cut to
            [0, 255].

    Returns:
        uint8 BGR (H, W, 3), a new array.
    """
    tables = [_to_bytes(np.rint(hue) % 180), _to_bytes(saturation), _to_bytes(LEVELS)]
    hsv = cv2.cvtColor(img, cv2.COLOR_BGR2HSV)
    hsv = cv2.LUT(hsv, np.stack(tables, axis=-1)[None])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)


def _to_bytes(levels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
