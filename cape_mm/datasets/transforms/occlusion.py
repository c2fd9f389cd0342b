"""Patches that hide a part of one instance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...utils.value_checks import check_choice, check_probability, check_range
from .formatting import is_inside

FILLS = ('color', 'noise', 'copy')


@TRANSFORMS.register_module()
class RandomOcclusion(BaseTransform):
    """Cover parts of the crop with rectangles.

    Covered keypoints stay visible, so the model learns to infer a point from the rest
    of the object, as annotators do (v = 1, "labelled but occluded"). A rectangle that
    would leave no visible keypoint uncovered is not drawn.

    Required keys: ``img``, ``keypoints``, ``is_visible``, ``rng``; so it comes after
    ``WarpInstance``. Added keys, with ``hide_covered``: ``is_covered`` bool (K,).

    Args:
        num_patches: smallest and largest number of rectangles.
        area: smallest and largest area of one, as fractions of the crop's.
        aspect: smallest and largest ratio of width to height.
        fills: what a rectangle shows, one of these at random: one ``'color'``,
            ``'noise'``, or a ``'copy'`` of another part of the same crop.
        hide_covered: covered keypoints become invisible and enter no loss.
        prob: share of instances that are covered at all.

    Raises:
        ConfigError: a range is not 0 < low <= high, or a fill is unknown.
    """

    def __init__(
        self,
        num_patches: tuple[int, int] = (1, 3),
        area: tuple[float, float] = (0.01, 0.08),
        aspect: tuple[float, float] = (0.4, 2.5),
        fills: Sequence[str] = FILLS,
        hide_covered: bool = False,
        prob: float = 0.3,
    ) -> None:
        self.num_patches = check_range('num_patches', num_patches)
        self.area = check_range('area', area, 0.5)
        self.aspect = check_range('aspect', aspect)
        check_probability('prob', prob)
        for fill in fills or [None]:
            check_choice('fills', fill, FILLS)
        self.fills = tuple(fills)
        self.hide_covered = hide_covered
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng: np.random.Generator = results['rng']
        is_covered = np.zeros(len(results['keypoints']), dtype=bool)
        if rng.random() < self.prob:
            is_covered = self._cover(results, rng)
        if self.hide_covered:
            results['is_covered'] = is_covered
        return results

    def _cover(self, results: dict, rng: np.random.Generator) -> np.ndarray:
        """Draw the patches; returns the keypoints under them, bool (K,)."""
        source, canvas = results['img'], results['img'].copy()
        size, keypoints = source.shape[1::-1], results['keypoints']
        is_seen = results['is_visible'] & is_inside(keypoints, size)
        is_covered = np.zeros(len(keypoints), dtype=bool)
        low, high = self.num_patches
        for _ in range(rng.integers(low, high + 1)):
            corner, extent = self._draw_box(size, rng)
            content = draw_content(source, extent, self._draw_fill(rng), rng)
            after = is_covered | is_in_box(keypoints, corner, extent)
            if (is_seen & ~after).any():
                (left, top), (width, height) = corner, extent
                canvas[top : top + height, left : left + width] = content
                is_covered = after
        results['img'] = canvas
        return is_covered

    def _draw_fill(self, rng: np.random.Generator) -> str:
        return self.fills[rng.integers(len(self.fills))]

    def _draw_box(
        self, size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Left-top corner and (w, h) of a rectangle that lies inside the crop."""
        area = rng.uniform(*self.area) * size[0] * size[1]
        ratio = np.exp(rng.uniform(*np.log(self.aspect)))
        extent = np.sqrt([area * ratio, area / ratio])
        extent = np.clip(np.rint(extent).astype(int), 1, size)
        return rng.integers(0, np.asarray(size) - extent + 1), extent


def draw_content(
    image: np.ndarray, extent: Sequence[int], fill: str, rng: np.random.Generator
) -> np.ndarray:
    """What a rectangle shows.

    Args:
        image: the crop, uint8 (H, W, 3).
        extent: (w, h) of the rectangle, not larger than the crop.
        fill: one of :data:`FILLS`.
        rng: draws it.

    Returns:
        uint8 (h, w, 3), or (3,) where it is one colour.
    """
    width, height = extent
    if fill == 'color':
        return rng.integers(0, 256, 3, dtype=np.uint8)
    if fill == 'noise':
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    top = rng.integers(0, image.shape[0] - height + 1)
    left = rng.integers(0, image.shape[1] - width + 1)
    return image[top : top + height, left : left + width]


def is_in_box(
    keypoints: np.ndarray, corner: np.ndarray, extent: np.ndarray
) -> np.ndarray:
    """Keypoints whose pixel belongs to a rectangle of whole pixels, bool (K,)."""
    pixels = np.rint(keypoints)
    return ((pixels >= corner) & (pixels < corner + extent)).all(axis=1)
