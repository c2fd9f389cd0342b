"""Labels of a batch's queries, as the loss wants them."""

from __future__ import annotations

import torch

from ...structures import EpisodeDataSample, EpisodeInputs
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
    points = torch.zeros(num, size, 2)
    is_visible = torch.zeros(num, size, dtype=torch.bool)
    weights = None
    row = 0
    for sample in data_samples:
        if not len(sample.query_slots):  # dropped: it has no input either
            continue
        truth = sample.gt_instances
        end, k = row + len(truth), sample.num_keypoints
        points[row:end, :k] = pixels_to_unit(truth.keypoints, sample.input_size)
        is_visible[row:end, :k] = truth.is_visible
        if 'keypoint_weights' in sample:  # virtual keypoints count less
            weights = torch.ones(num, size) if weights is None else weights
            weights[row:end, :k] = torch.tensor(sample.keypoint_weights)
        row = end
    points = points.masked_fill(~is_visible[..., None], 0)
    parts = (points, is_visible, weights)
    return QueryTargets(
        *(p if p is None else p.to(device, non_blocking=True) for p in parts)
    )
