"""Predictions on disk: COCO keypoint results that can be scored without the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.structures import BaseDataElement
from mmpose.registry import METRICS

from ..errors import AnnotationFormatError, MissingDataError, NonFinitePredictionError
from ..structures import Episode
from ..utils.atomic_write import write_text_atomically
from ..utils.json_file import read_json
from .scoring import instance_arrays

FORMAT = 'cape_mm predictions 1'
NO_CONFIDENCE = 2
"""Third number of a keypoint whose model has no confidences: COCO's "visible"."""
ENTRY_TYPES = dict(
    image_id=int,
    category_id=int,
    keypoints=list,
    episode_index=int,
    slot=int,
    ann_id=int,
    support_ids=list,
)
PLAN_KEYS = {'name', 'num_pairs', 'left_out', 'num_left_out'}
REMEDY = 'Write it afresh with tools/test.py --dump.'
NUMBER_SIZES = dict(keypoints=3, keypoints_visible=1, matched_keypoints=2)
"""Lists in an entry and their numbers per keypoint; all but the first are optional."""
LARGEST = 3.4e38
"""What float32 can hold."""

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
        entries = {_key(entry): entry for _, found in parts for entry in found}
        self.dropped_pairs = [dropped[key] for key in sorted(dropped)]
        self.entries = [entries[key] for key in sorted(entries)]
        return {}

    def compute_metrics(self, results: list) -> dict:
        """MMEngine asks for it; :meth:`evaluate` has no use for it."""
        return {}


def _key(entry: Entry) -> tuple[int, int]:
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


@dataclass(frozen=True)
class Dump:
    """What :func:`read_dump` found.

    Attributes:
        entries: by (episode_index, slot).
        reasons: why a pair was dropped when the predictions were made, by the same.
        episodes: the whole evaluation list.
        run: what the predictions were made with.
        plan: pairs of a full draw, by category id; see ``evaluation_plan``.
    """

    entries: dict[tuple[int, int], Entry]
    reasons: dict[tuple[int, int], str]
    episodes: tuple[Episode, ...]
    run: dict[str, Any]
    plan: dict[int, dict[str, Any]]


def read_dump(path: str | Path) -> Dump:
    """Read the file of ``tools/test.py --dump``.

    Args:
        path: the JSON file; the order of its entries does not matter.

    Raises:
        MissingDataError: the file does not exist.
        AnnotationFormatError: it is no such file, an entry is malformed, listed twice
            or of another episode than the list of episodes says.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(
            f'no dump of predictions at {path}. tools/test.py --dump {path} writes one.'
        )
    records = read_json(path, remedy=REMEDY)
    try:
        evaluation = _find_evaluation(records)
        episodes = tuple(
            Episode(int(category), tuple(map(int, supports)), tuple(map(int, queries)))
            for category, supports, queries in evaluation['episodes']
        )
        reasons = {
            (int(index), int(slot)): str(reason)
            for index, slot, reason in evaluation['dropped_pairs']
        }
        run = dict(evaluation['run'])
        plan = {
            int(key): {name: row[name] for name in sorted(PLAN_KEYS & row.keys())}
            for key, row in evaluation['plan'].items()
        }
        if any(row.keys() < PLAN_KEYS - {'num_left_out'} for row in plan.values()):
            raise ValueError('a "plan" without name, num_pairs or left_out')
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise AnnotationFormatError(
            f'{path} is damaged, or no dump of predictions: its description of the '
            f'evaluation can not be read ({type(error).__name__}: {error}). {REMEDY}'
        ) from error
    entries: dict[tuple[int, int], Entry] = {}
    for place, record in enumerate(records):
        problem = _problem_of(record, episodes)
        if problem is None and _key(record) in entries:
            problem = 'is listed twice'
        if problem is not None:
            raise AnnotationFormatError(f'{path}: entry {place} {problem}. {REMEDY}')
        entries[_key(record)] = record
    return Dump(entries, reasons, episodes, run, plan)


def _find_evaluation(records: object) -> Mapping[str, Any]:
    """The description of the evaluation, which one of the entries carries."""
    if not isinstance(records, list):
        raise TypeError('a list of COCO keypoint results is expected')
    found = [
        r['evaluation'] for r in records if isinstance(r, dict) and 'evaluation' in r
    ]
    if len(found) != 1:
        raise ValueError(
            f'{len(found)} of {len(records):,} entries have "evaluation", one should'
        )
    if found[0]['format'] != FORMAT:
        raise ValueError(f'its "format" should be {FORMAT!r}')
    return found[0]


def _problem_of(record: object, episodes: tuple[Episode, ...]) -> str | None:
    """Why an entry can not be used; None if it can."""
    if not isinstance(record, dict):
        return f'is a {type(record).__name__} instead of an object'
    for key, kind in ENTRY_TYPES.items():
        if type(record.get(key)) is not kind:
            return f'has no "{key}" of type {kind.__name__}'
    for key in NUMBER_SIZES:
        values = record.get(key, [])
        is_list = isinstance(values, list) and {*map(type, values)} <= {int, float}
        # compared, not converted: an integer may be too large for a float
        if not is_list or not all(abs(value) <= LARGEST for value in values):
            return f'has a value in "{key}" that is not a finite number'
    if len(record['keypoints']) % 3:
        return 'has "keypoints" that are not 3 numbers each'
    index, slot = _key(record)
    if not 0 <= index < len(episodes) or not 0 <= slot < len(episodes[index].query_ids):
        return f'is of episode {index}, slot {slot}, which was not evaluated'
    episode = episodes[index]
    expected = episode.category_id, episode.query_ids[slot], list(episode.support_ids)
    found = record['category_id'], record['ann_id'], record['support_ids']
    if found != expected:
        return (
            f'(episode {index}, slot {slot}) is of category, annotation and supports '
            f'{found}, but the episode has {expected}'
        )
    return None
