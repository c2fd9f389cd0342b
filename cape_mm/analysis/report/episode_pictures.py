"""Pictures of single pairs, whose images are read again after the test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData

from ...datasets import MP100EpisodeDataset
from ...errors import CapeError
from ...evaluation.prediction_dump import NO_CONFIDENCE
from ...structures import Episode, EpisodeDataSample
from ...structures.geometry import apply_affine, invert_affine
from ...visualization import draw_episode
from .episode_choice import ChosenPair

JPEG_QUALITY = 85

Entry = Mapping[str, Any]


def draw_chosen(
    chosen: Iterable[ChosenPair],
    entries: Sequence[Entry],
    dataset: MP100EpisodeDataset,
) -> dict[tuple[int, int], bytes | str]:
    """Draw pairs as support | query with truth | query with prediction.

    Args:
        chosen: the pairs.
        entries: the predictions, as ``PredictionDump`` keeps them.
        dataset: what the predictions were made on.

    Returns:
        By (episode_index, slot) a JPEG file, or why the pair could not be drawn.
    """
    by_key = {(entry['episode_index'], entry['slot']): entry for entry in entries}
    return {one.key: _draw(by_key[one.key], dataset) for one in chosen}


def _draw(entry: Entry, dataset: MP100EpisodeDataset) -> bytes | str:
    index = entry['episode_index']
    episode = Episode(
        entry['category_id'],
        tuple(entry['support_ids']),
        (entry['ann_id'],),
        seed=index,
        index=index,
    )
    try:
        item = dataset[episode]
    except CapeError as error:
        return str(error)
    sample = item['data_samples']
    if not len(sample.query_slots):
        return sample.dropped_pairs[0]['reason']
    if _ids(sample) != (list(entry['support_ids']), [entry['ann_id']]):
        return 'another image was loaded in its place'
    sample.pred_instances = _prediction(entry, sample)
    inputs = item['inputs']
    picture = draw_episode(inputs['support'], inputs['query'], sample)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode('.jpg', picture, quality)[1].tobytes()


def _ids(sample: EpisodeDataSample) -> tuple[list[int], list[int]]:
    """Annotations of the supports and of the queries that were loaded."""
    return (
        sample.support_instances.ann_ids.tolist(),
        sample.gt_instances.ann_ids.tolist(),
    )


def _prediction(entry: Entry, sample: EpisodeDataSample) -> InstanceData:
    """The prediction on the crop that was loaded, Q = 1."""
    triplets = np.asarray(entry['keypoints'], np.float64).reshape(1, -1, 3)
    points, scores = triplets[..., :2], triplets[..., 2]
    on_crop = apply_affine(invert_affine(sample.crop_to_image[0]), points)
    fields = dict(keypoints=on_crop, keypoints_orig=points)
    if not (scores == NO_CONFIDENCE).all():
        fields['keypoint_scores'] = scores
    return InstanceData(**{key: torch.from_numpy(v) for key, v in fields.items()})
