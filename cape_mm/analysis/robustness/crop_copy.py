"""The copy-support floor in the pictures that the network gets.

``copy_support`` pastes points into boxes of the source images, which no perturbation
moves. Someone who copies the support's points onto a rotated picture is wrong by the
rotation: the same floor, taken in the crops. Where crop and box agree, so do the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement

from ...evaluation import EpisodePCK
from ...structures.geometry import apply_affine


class CropCopyPCK(EpisodePCK):
    """Scores the support's points, copied from crop to crop, as a prediction."""

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """See :class:`EpisodePCK`; no prediction is looked at."""
        dicts = [
            s.to_dict() if isinstance(s, BaseDataElement) else s for s in data_samples
        ]
        super().process(data_batch, [_with_copies(sample) for sample in dicts])


def _with_copies(sample: Mapping) -> dict:
    if not len(sample['query_slots']):
        return dict(sample)
    support = sample['support_instances']
    copied = copy_in_crops(
        np.asarray(support['keypoints']),
        np.asarray(support['is_visible']),
        np.asarray(sample['crop_to_image']),
    )
    return {**sample, 'pred_instances': dict(keypoints_orig=copied)}


def copy_in_crops(
    keypoints: np.ndarray, is_visible: np.ndarray, crop_to_image: np.ndarray
) -> np.ndarray:
    """Put the support's places in its crop at the same places of the query's crop.

    Several shots: the mean over the shots in which a keypoint is visible.

    Args:
        keypoints: (x, y) of the supports in pixels of their crops, (S, K, 2).
        is_visible: bool (S, K).
        crop_to_image: of every query, (Q, 2, 3).

    Returns:
        Keypoints in source-image pixels of each query, float64 (Q, K, 2); of a keypoint
        that no shot shows, the crop's corner.
    """
    shown = np.where(is_visible[..., None], keypoints.astype(np.float64), 0)
    mean = shown.sum(axis=0) / np.maximum(is_visible.sum(axis=0), 1)[:, None]
    return apply_affine(crop_to_image, np.repeat(mean[None], len(crop_to_image), 0))
