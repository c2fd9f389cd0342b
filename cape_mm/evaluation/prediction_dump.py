"""Predictions on disk: COCO keypoint results that can be scored without the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.structures import BaseDataElement
from mmpose.registry import METRICS

from ..errors import NonFinitePredictionError
from ..structures import Episode
from ..utils.atomic_write import write_text_atomically
from .scoring import instance_arrays

FORMAT = 'cape_mm predictions 1'
NO_CONFIDENCE = 2
"""Third number of a keypoint whose model has no confidences: COCO's "visible"."""
NUMBER_SIZES = dict(keypoints=3, keypoints_visible=1, matched_keypoints=2)
"""Lists in an entry and their numbers per keypoint; all but the first are optional."""

Entry = dict[str, Any]


@METRICS.register_module()
class PredictionDump(BaseMetric):
    """Keeps what a model predicted for every support-query pair.

    It computes no metric. After ``evaluate``, ``entries`` and ``dropped_pairs`` hold
    the pairs of all processes, each once, in the order of the episode list;
    :func:`write_dump` makes a file of them.

    Args:
        collect_device: ignored; kept because MMEngine's metrics have it.
    """

    default_prefix = ''

    def __init__(self, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        self.entries: list[Entry] = []
        self.dropped_pairs: list[list] = []

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep the predictions of a batch of episodes.

        Args:
            data_batch: not used.
            data_samples: :class:`EpisodeDataSample` with predictions, or the dicts that
                MMEngine's evaluator makes of them.

        Raises:
            NonFinitePredictionError: a prediction is NaN or infinite, which JSON
                has no number for.
        """
        for data_sample in data_samples:
            if isinstance(data_sample, BaseDataElement):
                data_sample = data_sample.to_dict()
            index = int(data_sample['episode_index'])
            dropped = [
                [index, int(pair['slot']), str(pair['reason'])]
                for pair in data_sample.get('dropped_pairs', ())
            ]
            self.results.append((dropped, _entries(data_sample)))

    def evaluate(self, size: int) -> dict:
        """Gather the pairs of all processes.

        Args:
            size: ignored, as in :class:`EpisodePCK`.

        Returns:
            No metric.
        """
        gathered = all_gather_object(self.results)
        parts = [part for results in gathered for part in results]
        self.results.clear()
        dropped = {tuple(pair[:2]): pair for pairs, _ in parts for pair in pairs}
        entries = {key_of(entry): entry for _, found in parts for entry in found}
        self.dropped_pairs = [dropped[key] for key in sorted(dropped)]
        self.entries = [entries[key] for key in sorted(entries)]
        return {}

    def compute_metrics(self, results: list) -> dict:
        """MMEngine asks for it; :meth:`evaluate` has no use for it."""
        return {}


def key_of(entry: Entry) -> tuple[int, int]:
    """What a pair is known by."""
    return entry['episode_index'], entry['slot']


def _entries(data_sample: Mapping) -> list[Entry]:
    slots = data_sample['query_slots']
    if not len(slots):
        return []
    predicted = instance_arrays(data_sample['pred_instances'])
    query = instance_arrays(data_sample['gt_instances'])
    support = instance_arrays(data_sample['support_instances'])
    points, scores = predicted['keypoints_orig'], predicted.get('keypoint_scores')
    visible = predicted.get('keypoints_visible')
    matched = predicted.get('matched_keypoints_orig')
    is_known = support['is_visible_orig'].any(axis=0)
    third = np.full(points.shape[:2], NO_CONFIDENCE) if scores is None else scores
    triplets = np.concatenate([points, third[..., None]], axis=2)
    entries = []
    for row, slot in enumerate(slots):
        entry = dict(
            image_id=int(query['img_ids'][row]),
            category_id=int(data_sample['category_id']),
            keypoints=triplets[row].reshape(-1),
            score=1.0 if scores is None else float(scores[row, is_known].mean()),
            episode_index=int(data_sample['episode_index']),
            slot=int(slot),
            ann_id=int(query['ann_ids'][row]),
            support_ids=support['ann_ids'].tolist(),
        )
        if visible is not None:
            entry['keypoints_visible'] = visible[row]
        if matched is not None:
            entry['matched_keypoints'] = matched[row].reshape(-1)
        numbers = [entry[key] for key in NUMBER_SIZES if key in entry]
        if not all(np.isfinite(part).all() for part in numbers):
            raise NonFinitePredictionError(
                f'the prediction for query {slot} of episode {entry["episode_index"]} '
                f'of category {entry["category_id"]} is NaN or infinite and can not be '
                f'dumped'
            )
        entries.append(entry)
    return entries


def write_dump(
    metric: PredictionDump,
    episodes: Sequence[Episode],
    run: Mapping[str, Any],
    path: str | Path,
) -> Path:
    """Write a dump: a list of COCO keypoint results, one per line.

    An entry has COCO's ``image_id``, ``category_id``, ``keypoints`` (x, y in pixels of
    the source image and the confidence, or 2 where the model has none, K times) and
    ``score`` (mean confidence); also ``episode_index``, ``slot`` and ``ann_id`` of the
    query, ``support_ids``, and where the model tells them ``keypoints_visible`` and
    ``matched_keypoints`` (x, y of the floor ``matching``). The first entry has in
    addition ``evaluation``, all that it takes to see that a pair is missing:
    ``format``, ``run``, ``plan`` (see ``evaluation_plan``), ``dropped_pairs``
    [episode_index, slot, reason] and ``episodes`` [category_id, support_ids,
    query_ids].

    Args:
        metric: after its ``evaluate``.
        episodes: the whole evaluation list; the place of each is its ``index``.
        run: what the predictions were made with.
        path: the file; its folder is made where needed, an older file is replaced.

    Returns:
        The path.
    """
    evaluation = dict(
        format=FORMAT,
        run=dict(run),
        plan=(metric.dataset_meta or {}).get('evaluation_plan') or {},
        dropped_pairs=metric.dropped_pairs,
        episodes=[[e.category_id, e.support_ids, e.query_ids] for e in episodes],
    )
    # a list keeps every number to the last bit
    lines = [json.dumps(entry, default=np.ndarray.tolist) for entry in metric.entries]
    if lines:
        header = json.dumps(dict(evaluation=evaluation))
        lines[0] = f'{lines[0][:-1]}, {header[1:]}'
    return write_text_atomically(path, '[\n' + ',\n'.join(lines) + '\n]\n')
