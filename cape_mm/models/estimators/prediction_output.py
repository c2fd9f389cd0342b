"""From what a head says to what travels with the episodes."""

from __future__ import annotations

import torch
from mmengine.structures import InstanceData

from ...errors import NonFinitePredictionError
from ...structures import EpisodeDataSample
from ...structures.geometry import apply_affine, unit_to_pixels
from ..heads import Prediction


def fill_predictions(
    data_samples: list[EpisodeDataSample], predicted: Prediction | None
) -> None:
    """Set ``pred_instances``; coordinates in input pixels and source pixels.

    Args:
        data_samples: episodes; those of which nothing was loaded have no row.
        predicted: one row per loaded query, in the order of the episodes, padded to
            the batch's K; None where nothing was loaded.

    Raises:
        NonFinitePredictionError: a prediction is NaN or infinite.
    """
    parts = []
    if predicted is not None:
        parts = [None if part is None else part.float().cpu() for part in predicted]
    row = 0
    for sample in data_samples:
        if not len(sample.query_slots):
            sample.pred_instances = _no_instances(sample.num_keypoints)
            continue
        end, k = row + len(sample.query_slots), sample.num_keypoints
        own = [None if part is None else part[row:end, :k] for part in parts]
        sample.pred_instances = _to_instances(Prediction(*own), sample)
        _check_finite(sample)
        row = end


def _to_instances(predicted: Prediction, sample: EpisodeDataSample) -> InstanceData:
    pixels = unit_to_pixels(predicted.points, sample.input_size)
    original = apply_affine(sample.crop_to_image, pixels.double().numpy())
    instances = InstanceData(
        keypoints=pixels,
        keypoints_orig=torch.from_numpy(original).float(),
        keypoint_scores=predicted.scores,
    )
    if predicted.visibility is not None:
        instances.keypoints_visible = predicted.visibility
    return instances


def _check_finite(sample: EpisodeDataSample) -> None:
    bad = ~sample.pred_instances.keypoints.isfinite().flatten(1).all(dim=1)
    if bad.any():
        paths = sample.get('query_img_paths') or ['?'] * len(bad)
        files = [paths[row] for row in bad.nonzero()[:3, 0]]
        raise NonFinitePredictionError(
            f'the prediction for {int(bad.sum())} of {len(bad)} queries of category '
            f'{sample.category_id} ({sample.get("category_name")!r}) is NaN or '
            f'infinite: {", ".join(files)}. Either the weights are (a diverged '
            f'training?) or the images are.'
        )


def _no_instances(num_keypoints: int) -> InstanceData:
    points = torch.zeros(0, num_keypoints, 2)
    return InstanceData(
        keypoints=points, keypoints_orig=points, keypoint_scores=points[..., 0]
    )
