"""Labels of a batch's queries, as the loss wants them."""

from __future__ import annotations

import numpy as np
import torch

from ...structures import EpisodeDataSample, EpisodeInputs
from ...structures.device_copies import copy_without_waiting
from ...structures.geometry import pixels_to_unit
from ..heads import QueryTargets


def collect_targets(
    data_samples: list[EpisodeDataSample], inputs: EpisodeInputs
) -> QueryTargets:
    """Labels of all queries, one row each, padded to the batch's K.

    Args:
        data_samples: the episodes; dropped ones have no row.
        inputs: what the data preprocessor made of them: gives N, K and the device.
    """
    num, size = inputs.query_to_episode.shape[0], inputs.hops.shape[-1]
    device = inputs.hops.device
    # NumPy: for these few numbers per episode every call of PyTorch costs more
    points = np.zeros((num, size, 2), np.float32)
    is_visible = np.zeros((num, size), bool)
    weights = None
    row = 0
    for sample in data_samples:
        if not len(sample.query_slots):  # dropped: it has no input either
            continue
        truth = sample.gt_instances
        end, k = row + len(truth), sample.num_keypoints
        pixels = truth.keypoints.cpu().numpy()
        points[row:end, :k] = pixels_to_unit(pixels, sample.input_size)
        is_visible[row:end, :k] = truth.is_visible.cpu().numpy()
        if 'keypoint_weights' in sample:  # virtual keypoints count less
            weights = np.ones((num, size), np.float32) if weights is None else weights
            weights[row:end, :k] = sample.keypoint_weights
        row = end
    points[~is_visible] = 0
    labels = [torch.from_numpy(label) for label in (points, is_visible)]
    labels += [] if weights is None else [torch.from_numpy(weights)]
    return QueryTargets(*(copy_without_waiting(label, device) for label in labels))
