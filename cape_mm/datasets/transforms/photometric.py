"""Colour augmentation of one instance."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS


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
        offset = gain * (1 - slope) * float(img.mean())
        img = cv2.convertScaleAbs(
            np.maximum(img.astype(np.float32) * (gain * slope) + offset, 0)
        )
        hsv = cv2.cvtColor(img, cv2.COLOR_BGR2HSV).astype(np.float32)
        hsv[..., 0] += rng.uniform(-self.hue, self.hue) / 2  # OpenCV: 180 hue steps
        hsv[..., 0] %= 180
        hsv[..., 1] *= 1 + rng.uniform(-self.saturation, self.saturation)
        hsv = np.clip(hsv, 0, 255).astype(np.uint8)
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
