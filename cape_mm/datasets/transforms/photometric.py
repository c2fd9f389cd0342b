"""Light and focus that differ between instances, paint that an episode shares."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...utils.value_checks import check_not_negative, check_probability, check_range

LEVELS = np.arange(256, dtype=np.float64)
"""All values of a byte: a table holds what becomes of each."""


@TRANSFORMS.register_module()
class RandomPhotometric(BaseTransform):
    """Brightness, contrast, saturation and hue, drawn per instance.

    Support and query are drawn independently: a model must not rely on equal light.

    Args:
        brightness: largest relative change of brightness.
        contrast: largest relative change of contrast around the mean.
        saturation: largest relative change of saturation.
        hue: largest turn of hue in degrees.
        prob: share of instances that are augmented at all.
    """

    def __init__(
        self,
        brightness: float = 0.25,
        contrast: float = 0.25,
        saturation: float = 0.25,
        hue: float = 8.0,
        prob: float = 0.8,
    ) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng: np.random.Generator = results['rng']
        if rng.random() < self.prob:
            results['img'] = self._jitter(results['img'], rng)
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


@TRANSFORMS.register_module()
class EpisodeColor(BaseTransform):
    """Turn the hues of all instances of an episode alike, or of none.

    Support and query keep the colours that they have in common, but these are no longer
    those of the category: a model has to read them off the support. What differs
    between instances is left to :class:`RandomPhotometric`.

    Convention:
        - a hue h becomes ``turn + h``, or ``turn - h`` where it is mirrored, in degrees
          on HSV's circle: red 0, green 120, blue 240
        - grey stays grey; HSV value and saturation stay

    Value is not luminance: the colour noise of JPEG blocks, hardly seen before, may
    show as specks around sharp edges.

    Required keys: ``img`` uint8 BGR (H, W, 3), which is replaced and not written to,
    and ``episode_seed``; so it comes after ``LoadInstanceImage``, and is cheaper after
    ``WarpInstance``. Keypoints stay.

    Args:
        hue: largest turn in degrees, drawn uniformly from both sides; 180 reaches every
            turn, 0 none.
        mirror_prob: share of the changed episodes whose hues run round the circle the
            other way.
        prob: share of episodes that are changed at all.

    Raises:
        ConfigError: ``hue`` is below 0, or a share is not from 0 to 1.
    """

    _STREAM = 0xC0105

    def __init__(
        self,
        hue: float = 180.0,
        mirror_prob: float = 0.5,
        prob: float = 0.8,
    ) -> None:
        check_not_negative('hue', hue)
        check_probability('mirror_prob', mirror_prob)
        check_probability('prob', prob)
        self.hue = hue
        self.mirror_prob = mirror_prob
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng = np.random.default_rng([results['episode_seed'], self._STREAM])
        if rng.random() >= self.prob:
            return results
        turn = rng.uniform(-self.hue, self.hue)
        direction = -1 if rng.random() < self.mirror_prob else 1
        results['img'] = map_hsv(results['img'], hue=direction * LEVELS + turn / 2)
        return results


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
