"""Predictions on disk: COCO keypoint results that can be scored without the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.structures import BaseDataElement
from mmpose.registry import METRICS

from ..errors import NonFinitePredictionError
from ..structures import Episode
from .pair_records import instance_arrays

FORMAT = 'cape_mm predictions 1'
NO_CONFIDENCE = 2
"""Third number of a keypoint whose model has no confidences: COCO's "visible"."""

Entry = dict[str, Any]


@METRICS.register_module()
class PredictionDump(BaseMetric):
    """Keeps what a model predicted for every support-query pair.

    It computes no metric. After ``evaluate``, ``entries`` and ``dropped_pairs`` hold
    the pairs of all processes, each once, in the order of the episode list;
    :func:`format_dump` makes the file's text of them.

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
            self.results.append((_dropped(data_sample), _entries(data_sample)))

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
        entries = {_key(entry): entry for _, found in parts for entry in found}
        self.dropped_pairs = [dropped[key] for key in sorted(dropped)]
        self.entries = [entries[key] for key in sorted(entries)]
        return {}

    def compute_metrics(self, results: list) -> dict:
        """MMEngine asks for it; :meth:`evaluate` has no use for it."""
        return {}


def format_dump(
    metric: PredictionDump, episodes: Sequence[Episode], run: Mapping[str, Any]
) -> str:
    """The text of a dump: a list of COCO keypoint results, one per line.

    An entry has COCO's ``image_id``, ``category_id``, ``keypoints`` (x, y in pixels of
    the source image and the confidence, or 2 where the model has none, K times) and
    ``score`` (mean confidence); also ``episode_index``, ``slot`` and ``ann_id`` of the
    query, ``support_ids``, and ``keypoints_visible`` where the model tells it. The
    first entry has in addition ``evaluation``, all that it takes to see that a pair is
    missing: ``format``, ``run``, ``plan`` (see ``evaluation_plan``), ``dropped_pairs``
    [episode_index, slot, reason] and ``episodes`` [category_id, support_ids,
    query_ids].

    Args:
        metric: after its ``evaluate``.
        episodes: the whole evaluation list; the place of each is its ``index``.
        run: what the predictions were made with.
    """
    evaluation = dict(
        format=FORMAT,
        run=dict(run),
        plan=(metric.dataset_meta or {}).get('evaluation_plan') or {},
        dropped_pairs=metric.dropped_pairs,
        episodes=[[e.category_id, e.support_ids, e.query_ids] for e in episodes],
    )
    lines = [json.dumps(line) for line in _plain_entries(metric.entries)]
    if lines:
        header = json.dumps(dict(evaluation=evaluation))
        lines[0] = f'{lines[0][:-1]}, {header[1:]}'
    return '[\n' + ',\n'.join(lines) + '\n]\n'


def _plain_entries(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Arrays as lists, whose numbers JSON keeps to the last bit."""
    for entry in entries:
        yield {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in entry.items()
        }


def _key(entry: Entry) -> tuple[int, int]:
    return entry['episode_index'], entry['slot']


def _dropped(data_sample: Mapping) -> list[list]:
    index = int(data_sample['episode_index'])
    return [
        [index, int(pair['slot']), str(pair['reason'])]
        for pair in data_sample.get('dropped_pairs', ())
    ]


def _entries(data_sample: Mapping) -> list[Entry]:
    slots = data_sample['query_slots']
    if not len(slots):
        return []
    predicted = instance_arrays(data_sample['pred_instances'])
    query = instance_arrays(data_sample['gt_instances'])
    support = instance_arrays(data_sample['support_instances'])
    points, scores = predicted['keypoints_orig'], predicted.get('keypoint_scores')
    visible = predicted.get('keypoints_visible')
    is_known = support['is_visible_orig'].any(axis=0)
    third = np.full(points.shape[:2], NO_CONFIDENCE) if scores is None else scores
    triplets = np.concatenate([points, third[..., None]], axis=2)
    _check_finite(triplets, visible, data_sample)
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
        entries.append(entry)
    return entries


def _check_finite(
    triplets: np.ndarray, visible: np.ndarray | None, data_sample: Mapping
) -> None:
    is_finite = np.isfinite(triplets).all(axis=(1, 2))
    if visible is not None:
        is_finite &= np.isfinite(visible).all(axis=1)
    if not is_finite.all():
        raise NonFinitePredictionError(
            f'the prediction for {(~is_finite).sum()} of {len(is_finite)} queries of '
            f'episode {data_sample["episode_index"]} of category '
            f'{data_sample["category_id"]} is NaN or infinite and can not be dumped'
        )
