"""Patches that hide a part of one instance, and fixed disturbances of queries.

The latter measure what a model withstands: the strength is given, and what is left to
chance is drawn from the instance's id alone. An instance looks the same in every
episode, so its features can still be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...utils.value_checks import (
    check_choice,
    check_positive,
    check_probability,
    check_range,
)
from .loading import is_inside


@TRANSFORMS.register_module()
class RandomOcclusion(BaseTransform):
    """Cover parts of the crop with rectangles, each of one random colour.

    Covered keypoints stay visible, so the model learns to infer a point from the rest
    of the object, as annotators do (v = 1, "labelled but occluded"). A rectangle that
    would leave no visible keypoint uncovered is not drawn.

    Required keys: ``img``, ``keypoints``, ``is_visible``, ``rng``; so it comes after
    ``WarpInstance``.

    Args:
        num_patches: smallest and largest number of rectangles.
        area: smallest and largest area of one, as fractions of the crop's.
        aspect: smallest and largest ratio of width to height.
        prob: share of instances that are covered at all.

    Raises:
        ConfigError: a range is not 0 < low <= high, or ``prob`` is none.
    """

    def __init__(
        self,
        num_patches: tuple[int, int] = (1, 3),
        area: tuple[float, float] = (0.01, 0.08),
        aspect: tuple[float, float] = (0.4, 2.5),
        prob: float = 0.3,
    ) -> None:
        self.num_patches = check_range('num_patches', num_patches)
        self.area = check_range('area', area, 0.5)
        self.aspect = check_range('aspect', aspect)
        check_probability('prob', prob)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng: np.random.Generator = results['rng']
        if rng.random() >= self.prob:
            return results
        canvas, keypoints = results['img'].copy(), results['keypoints']
        size = canvas.shape[1::-1]
        is_seen = results['is_visible'] & is_inside(keypoints, size)
        is_covered = np.zeros(len(keypoints), dtype=bool)
        low, high = self.num_patches
        for _ in range(rng.integers(low, high + 1)):
            corner, extent = self._draw_box(size, rng)
            color = rng.integers(0, 256, 3, dtype=np.uint8)
            after = is_covered | is_in_box(keypoints, corner, extent)
            if (is_seen & ~after).any():
                (left, top), (width, height) = corner, extent
                canvas[top : top + height, left : left + width] = color
                is_covered = after
        results['img'] = canvas
        return results

    def _draw_box(
        self, size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Left-top corner and (w, h) of a rectangle that lies inside the crop."""
        area = rng.uniform(*self.area) * size[0] * size[1]
        ratio = np.exp(rng.uniform(*np.log(self.aspect)))
        extent = np.sqrt([area * ratio, area / ratio])
        extent = np.clip(np.rint(extent).astype(int), 1, size)
        return rng.integers(0, np.asarray(size) - extent + 1), extent


def is_in_box(
    keypoints: np.ndarray, corner: np.ndarray, extent: np.ndarray
) -> np.ndarray:
    """Keypoints whose pixel belongs to a rectangle of whole pixels, bool (K,)."""
    pixels = np.rint(keypoints)
    return ((pixels >= corner) & (pixels < corner + extent)).all(axis=1)


@TRANSFORMS.register_module()
class PerturbQuery(BaseTransform):
    """Apply transforms to the instances that stand in as queries, and to no other.

    Those are second records of annotations (``twin_of``). A generator of ``seed`` and
    the annotation's id takes the place of the episode's ``rng`` meanwhile.

    Required keys: ``twin_of``, and those of the transforms.

    Args:
        transforms: configs or callables; they may read ``rng``.
        seed: of their chance.
    """

    def __init__(self, transforms: Sequence[dict | Callable], seed: int = 0) -> None:
        self.seed = seed
        self.transforms = [
            TRANSFORMS.build(step) if isinstance(step, dict) else step
            for step in transforms
        ]

    def transform(self, results: dict) -> dict:
        if results['twin_of'] is None:
            return results
        rng = np.random.default_rng([self.seed, results['twin_of']])
        changed = dict(results, rng=rng)
        for step in self.transforms:
            changed = step(changed)
        del changed['rng']
        results.update(changed)
        return results


@TRANSFORMS.register_module()
class FixedInstanceAffine(BaseTransform):
    """Rotate and scale the crop's content by fixed amounts.

    Labels follow; keypoints that leave the crop stay visible.

    Required keys: what ``InstanceCrop`` adds, and ``rng``, which draws the direction of
    the rotation; so it comes between ``InstanceCrop`` and ``WarpInstance``.

    Args:
        rotation: angle in degrees.
        scale: a factor above 1 shows the object larger.

    Raises:
        ConfigError: ``scale`` is not positive.
    """

    def __init__(self, rotation: float = 0.0, scale: float = 1.0) -> None:
        check_positive('scale', scale)
        self.rotation = rotation
        self.scale = scale

    def transform(self, results: dict) -> dict:
        sign = 1 if results['rng'].random() < 0.5 else -1
        results['crop_rotation'] += sign * self.rotation
        results['crop_side'] /= self.scale
        return results


@TRANSFORMS.register_module()
class JpegCompression(BaseTransform):
    """Compress the crop as a JPEG of fixed quality and decode it again.

    Required keys: ``img`` uint8 BGR (H, W, 3).

    Args:
        quality: 1 (worst) to 100.

    Raises:
        ConfigError: the quality is out of its range.
    """

    def __init__(self, quality: int) -> None:
        check_choice('quality', quality, range(1, 101))
        self.quality = int(quality)

    def transform(self, results: dict) -> dict:
        settings = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        content = cv2.imencode('.jpg', results['img'], settings)[1]
        results['img'] = cv2.imdecode(content, cv2.IMREAD_COLOR)
        return results
