"""Between the episodes and the head: labels in, predictions out."""

from __future__ import annotations

import torch
from mmengine.structures import InstanceData

from ...errors import NonFinitePredictionError
from ...structures import EpisodeDataSample, PackedSamples
from ...structures.episode_batch import copy_without_waiting
from ...structures.geometry import apply_affine, unit_to_pixels
from ..heads import Prediction, QueryTargets


def collect_targets(data_samples: PackedSamples, device: torch.device) -> QueryTargets:
    """Labels of all queries, one row each, padded to the batch's K.

    Args:
        data_samples: the episodes, with what was collated of their labels.
        device: of the model.
    """
    labels = map(torch.from_numpy, data_samples.query_labels)
    return QueryTargets(*(copy_without_waiting(label, device) for label in labels))


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
    instances = InstanceData(
        keypoints=pixels,
        keypoints_orig=_in_source_image(pixels, sample),
        keypoint_scores=predicted.scores,
    )
    if predicted.visibility is not None:
        instances.keypoints_visible = predicted.visibility
    if predicted.matched is not None:
        matched = unit_to_pixels(predicted.matched, sample.input_size)
        instances.matched_keypoints_orig = _in_source_image(matched, sample)
    return instances


def _in_source_image(pixels: torch.Tensor, sample: EpisodeDataSample) -> torch.Tensor:
    original = apply_affine(sample.crop_to_image, pixels.double().numpy())
    return torch.from_numpy(original).float()


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
