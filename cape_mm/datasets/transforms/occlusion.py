"""Patches that hide a part of one instance."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...utils.value_checks import check_probability, check_range
from .formatting import is_inside


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
