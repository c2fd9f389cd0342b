"""Crop, augment and warp one instance to the network's input.

The crop is described first (centre, side, rotation, shift, flip) and applied once, so
that augmentation never resamples an image twice.

Every random choice comes from ``results['rng']``, the instance's own generator; what
must be the same for the whole episode comes from ``results['episode_seed']``.
"""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...structures.geometry import (
    BOX_PADDING,
    apply_affine,
    box_to_square,
    crop_matrix,
    invert_affine,
    mirror_affine,
    squeeze_affine,
)
from ...utils.value_checks import check_range


@TRANSFORMS.register_module()
class InstanceCrop(BaseTransform):
    """Describe the official crop: the padded square on the box's longer side.

    Required keys: ``bbox`` (x, y, w, h). Added keys: ``crop_center`` (2,),
    ``crop_side``, ``crop_rotation``, ``crop_shift``, ``flip``.

    Args:
        padding: factor on the longer side of the clean box.
    """

    def __init__(self, padding: float = BOX_PADDING) -> None:
        self.padding = padding

    def transform(self, results: dict) -> dict:
        center, side = box_to_square(results['bbox'], self.padding)
        results.update(
            crop_center=center,
            crop_side=side,
            crop_rotation=0.0,
            crop_shift=(0.0, 0.0),
            flip=False,
        )
        return results


@TRANSFORMS.register_module()
class RandomInstanceAffine(BaseTransform):
    """Rotate, scale and shift the crop at random.

    Args:
        rotation: largest angle in degrees, drawn uniformly from both sides.
        scale: smallest and largest factor on the crop's side; a factor above 1 shows
            the object smaller.
        shift: largest shift as a fraction of the crop's side, per axis.
        squeeze: smallest factor on one direction, drawn at random, as on an object that
            is seen from aside; 1 keeps all angles.
        prob: share of instances that are augmented at all.
    """

    def __init__(
        self,
        rotation: float = 30.0,
        scale: tuple[float, float] = (0.8, 1.25),
        shift: float = 0.08,
        squeeze: float = 1.0,
        prob: float = 0.8,
    ) -> None:
        self.rotation = rotation
        self.squeeze = squeeze
        self.scale = check_range('scale', scale)
        self.shift = shift
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng: np.random.Generator = results['rng']
        if rng.random() >= self.prob:
            return results
        low, high = np.log(self.scale)
        results['crop_rotation'] += rng.uniform(-self.rotation, self.rotation)
        results['crop_side'] *= float(np.exp(rng.uniform(low, high)))
        results['crop_shift'] = tuple(rng.uniform(-self.shift, self.shift, size=2))
        if self.squeeze < 1:
            results['crop_squeeze'] = (
                rng.uniform(0, np.pi),
                float(np.exp(rng.uniform(np.log(self.squeeze), 0))),
            )
        return results


@TRANSFORMS.register_module()
class EpisodeFlip(BaseTransform):
    """Mirror all instances of an episode, or none.

    MP-100 names no left/right pairs, so a support and a query that are mirrored
    independently would disagree on what "left" means.

    Args:
        prob: share of episodes that are mirrored.
    """

    _STREAM = 0xF11B

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        rng = np.random.default_rng([results['episode_seed'], self._STREAM])
        results['flip'] = bool(rng.random() < self.prob)
        return results


@TRANSFORMS.register_module()
class WarpInstance(BaseTransform):
    """Apply the described crop to image and keypoints.

    Required keys: ``img``, ``keypoints_orig`` (K, 2) and what :class:`InstanceCrop`
    adds; ``img_reduction`` where ``img`` was decoded at a smaller scale. Added keys:
    ``img`` uint8 (h, w, 3), ``keypoints`` float32 (K, 2) in pixels of the crop,
    ``crop_to_image`` float64 (2, 3), ``input_size``.

    Args:
        input_size: (w, h) of the network input; square, as the crop is.
    """

    def __init__(self, input_size: tuple[int, int] = (256, 256)) -> None:
        if input_size[0] != input_size[1]:
            raise ValueError(f'the crop is square, so input_size too, got {input_size}')
        self.input_size = tuple(input_size)

    def transform(self, results: dict) -> dict:
        matrix = crop_matrix(
            results['crop_center'],
            results['crop_side'],
            self.input_size,
            results['crop_rotation'],
            results['crop_shift'],
        )
        if 'crop_squeeze' in results:
            matrix = squeeze_affine(matrix, self.input_size, *results['crop_squeeze'])
        if results['flip']:
            matrix = mirror_affine(matrix, self.input_size[0])
        picture_matrix = _on_reduced_image(matrix, results.get('img_reduction', 1))
        results['img'] = cv2.warpAffine(
            results['img'], picture_matrix, self.input_size, flags=cv2.INTER_LINEAR
        )
        keypoints = apply_affine(matrix, results['keypoints_orig'])
        results['keypoints'] = keypoints.astype(np.float32)
        results['crop_to_image'] = invert_affine(matrix)
        results['input_size'] = self.input_size
        return results


def _on_reduced_image(matrix: np.ndarray, reduction: int) -> np.ndarray:
    """The same map, from pixels of an image that was reduced in whole blocks."""
    reduced = matrix.copy()
    reduced[:, 2] += matrix[:, :2].sum(axis=1) * (reduction - 1) / 2  # block's centre
    reduced[:, :2] *= reduction
    return reduced
