"""From the dictionary of one instance to tensors."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...errors import EmptyAnnotationError


def is_inside(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Keypoints (x, y), (K, 2), on a picture of ``size`` (w, h), bool (K,)."""
    return ((keypoints >= 0) & (keypoints <= np.asarray(size) - 1)).all(axis=1)


@TRANSFORMS.register_module()
class PackInstance(BaseTransform):
    """Turn one instance into tensors and settle which keypoints are visible.

    Keeps the order and the number of keypoints: what is invisible is masked.

    Returns a dictionary with ``image`` uint8 BGR (3, h, w), ``keypoints`` and
    ``keypoints_orig`` float32 (K, 2), ``is_visible`` and ``is_visible_orig`` bool (K,),
    ``visibility`` uint8 (K,) where the data set tells it,
    ``bbox`` float32 (4,), ``ann_id``, ``img_id``, ``img_path``, ``crop_to_image``
    float64 (2, 3), ``input_size``.

    Args:
        hide_outside: keypoints outside the crop become invisible. On in training, where
            augmentation pushes points out; off in evaluation, where the official
            protocol counts every labelled keypoint.

    Raises:
        EmptyAnnotationError: no visible keypoint is left.
    """

    def __init__(self, hide_outside: bool) -> None:
        self.hide_outside = hide_outside

    def transform(self, results: dict) -> dict:
        keypoints = results['keypoints']
        is_visible_orig = results['is_visible']
        is_visible = is_visible_orig.copy()
        if self.hide_outside:
            is_visible &= is_inside(keypoints, results['input_size'])
        if not is_visible.any():
            raise EmptyAnnotationError(
                f'annotation {results["ann_id"]} has no visible keypoint in its crop: '
                f'{results["img_path"]}'
            )
        extra = {}
        if 'visibility' in results:
            extra['visibility'] = torch.from_numpy(results['visibility'].copy())
        planes = np.stack(cv2.split(results['img']))  # faster than a transposed copy
        return dict(
            image=torch.from_numpy(planes),
            keypoints=torch.from_numpy(keypoints),
            keypoints_orig=torch.from_numpy(results['keypoints_orig']),
            is_visible=torch.from_numpy(is_visible),
            is_visible_orig=torch.from_numpy(is_visible_orig.copy()),
            bbox=torch.from_numpy(results['bbox'].astype(np.float32)),
            ann_id=results['ann_id'],
            img_id=results['img_id'],
            img_path=results['img_path'],
            crop_to_image=results['crop_to_image'],
            input_size=results['input_size'],
            **extra,
        )
