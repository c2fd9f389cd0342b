"""Scoring stored predictions again: the same metric, without the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.annotation_index import AnnotationIndex
from ..datasets.frozen_episodes import episodes_sha256, files_sha256
from ..errors import AnnotationFormatError, ConfigError
from ..structures import Episode
from ..utils.json_file import read_json
from .episode_pck import EpisodePCK
from .prediction_dump import FORMAT, NO_CONFIDENCE, NUMBER_SIZES, Entry
from .report import format_table, write_metrics
from .result_file import results_path, write_results

MISSING = 'not in the dump'
"""Reason of a pair that was evaluated, but that the dump has no entry for."""
PLAN_KEYS = {'name', 'num_pairs', 'left_out'}
REMEDY = 'tools/test.py --dump writes such files.'


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
    records = read_json(path, remedy=REMEDY)
    try:
        (evaluation,) = (r['evaluation'] for r in records if 'evaluation' in r)
        if evaluation['format'] != FORMAT:
            raise ValueError(f'its "format" should be {FORMAT!r}')
        episodes = tuple(
            Episode(int(category), tuple(map(int, supports)), tuple(map(int, queries)))
            for category, supports, queries in evaluation['episodes']
        )
        reasons = {
            (int(index), int(slot)): str(reason)
            for index, slot, reason in evaluation['dropped_pairs']
        }
        plan = {int(key): dict(row) for key, row in evaluation['plan'].items()}
        if any(not row.keys() >= PLAN_KEYS for row in plan.values()):
            raise ValueError('a "plan" without name, num_pairs or left_out')
        found = Dump({}, reasons, episodes, dict(evaluation['run']), plan)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise AnnotationFormatError(
            f'{path} is damaged, or no dump of predictions: its description of the '
            f'evaluation can not be read ({type(error).__name__}: {error}). {REMEDY}'
        ) from error
    for place, record in enumerate(records):
        problem = _problem_of(record, found)
        if problem is not None:
            raise AnnotationFormatError(f'{path}: entry {place} {problem}. {REMEDY}')
        found.entries[record['episode_index'], record['slot']] = record
    return found


def _problem_of(record: Mapping, dump: Dump) -> str | None:
    """Why an entry can not be used; None if it can."""
    index, slot = (record.get(key) for key in ('episode_index', 'slot'))
    if not type(index) is type(slot) is int or min(index, slot) < 0:
        return f'is of episode {index!r}, slot {slot!r}'
    if (index, slot) in dump.entries:
        return 'is listed twice'
    try:
        episode = dump.episodes[index]
        query = episode.query_ids[slot]
    except IndexError:
        return f'is of episode {index}, slot {slot}, which was not evaluated'
    expected = episode.category_id, query, list(episode.support_ids)
    found = tuple(record.get(key) for key in ('category_id', 'ann_id', 'support_ids'))
    if found != expected:
        return (
            f'(episode {index}, slot {slot}) is of category, annotation and supports '
            f'{found}, but the episode has {expected}'
        )
    try:
        parts = [np.asarray(record.get(key, []), np.float32) for key in NUMBER_SIZES]
    except (TypeError, ValueError, OverflowError):
        parts = [np.array(np.nan)]
    if not all(part.ndim == 1 and np.isfinite(part).all() for part in parts):
        return f'has a value in {", ".join(NUMBER_SIZES)} that is not a finite number'
    return None


def score_dump(
    dump_file: str | Path, ann_file: str | Path, out: str | Path | None = None
) -> dict[str, Any]:
    """Score a dump of predictions, print the table and write the metrics.

    The result equals that of the run that wrote the dump, to the last bit. A pair that
    is not in the dump is counted as dropped, never left out silently.

    Args:
        dump_file: file of ``tools/test.py --dump``.
        ann_file: annotation JSON that was tested on.
        out: metrics file; default ``<dump>.metrics.json`` beside the dump. The table
            of the results is written beside it.

    Returns:
        The metrics; under ``run`` what the predictions were made with.

    Raises:
        MissingDataError: a file does not exist, or the dump has no pair.
        AnnotationFormatError: one of the files is damaged.
        ConfigError: the dump is of another annotation file.
    """
    dump = read_dump(dump_file)
    metric = rescore(dump, AnnotationIndex.read([ann_file]), dump_file)
    metrics = metric.evaluate(len(dump.episodes))
    metrics['run'] = {
        **dump.run,
        'episodes_sha256': episodes_sha256(dump.episodes),
        'predictions': str(dump_file),
        'ann_file': str(ann_file),
        'annotations_sha256': files_sha256([ann_file]),
    }
    path = (
        Path(out) if out is not None else Path(dump_file).with_suffix('.metrics.json')
    )
    write_metrics(metrics, path)
    results = write_results(metric.pairs, results_path(path), metrics['run'])
    print(format_table(metrics))
    print(f'metrics: {path}\nresults: {results}')
    return metrics


def rescore(dump: Dump, index: AnnotationIndex, source: str | Path) -> EpisodePCK:
    """A metric that has seen all episodes of a dump.

    Args:
        dump: stored predictions.
        index: the annotation file that they were made for.
        source: file of the dump, for messages.

    Raises:
        ConfigError: the dump is of another annotation file.
    """
    metric = EpisodePCK()
    metric.dataset_meta = dict(evaluation_plan=dump.plan)
    for place, episode in enumerate(dump.episodes):
        ids = episode.support_ids + episode.query_ids
        if any(
            i not in index or index[i].category_id != episode.category_id for i in ids
        ):
            raise ConfigError(
                f'{source}: the predictions were made for another annotation file: '
                f'episode {place} names annotations {list(ids)} of category '
                f'{episode.category_id}, which {index.source} does not have or has '
                f'otherwise. Score them with the file that was tested on.'
            )
        metric.process(None, [_data_sample(dump, index, episode, place, source)])
    return metric


def _data_sample(
    dump: Dump, index: AnnotationIndex, episode: Episode, place: int, source: str | Path
) -> dict[str, Any]:
    """One evaluated episode, as MMEngine would hand it to the metric."""
    category = index.categories[episode.category_id]
    keys = [(place, slot) for slot in range(len(episode.query_ids))]
    entries = [dump.entries[key] for key in keys if key in dump.entries]
    _check_entries(entries, category.num_keypoints, index, source)
    sample: dict[str, Any] = dict(
        episode_index=place,
        category_id=category.id,
        category_name=category.name,
        supercategory=category.supercategory,
        num_keypoints=category.num_keypoints,
        query_slots=[entry['slot'] for entry in entries],
        dropped_pairs=[
            dict(slot=key[1], reason=dump.reasons.get(key, MISSING))
            for key in keys
            if key not in dump.entries
        ],
    )
    if entries:
        sample['support_instances'] = _stack(index, episode.support_ids)
        queries = [entry['ann_id'] for entry in entries]
        sample['gt_instances'] = _stack(index, queries)
        sample['pred_instances'] = _predictions(entries)
    return sample


def _stack(index: AnnotationIndex, ann_ids: Sequence[int]) -> dict[str, np.ndarray]:
    """Labels of several instances of one category, as the data set gives them."""
    chosen = [index[ann_id] for ann_id in ann_ids]
    return dict(
        keypoints_orig=np.stack([instance.keypoints for instance in chosen]),
        is_visible_orig=np.stack([instance.is_visible for instance in chosen]),
        bboxes=np.stack([instance.bbox for instance in chosen]).astype(np.float32),
        visibility=np.stack([instance.visibility for instance in chosen]),
        ann_ids=np.array(ann_ids),
    )


def _predictions(entries: Sequence[Entry]) -> dict[str, np.ndarray]:
    triplets = np.array([entry['keypoints'] for entry in entries], np.float64)
    triplets = triplets.reshape(len(entries), -1, 3)
    predicted = dict(keypoints_orig=triplets[..., :2])
    if not (triplets[..., 2] == NO_CONFIDENCE).any():
        predicted['keypoint_scores'] = triplets[..., 2]
    if 'keypoints_visible' in entries[0]:
        visible = [entry['keypoints_visible'] for entry in entries]
        predicted['keypoints_visible'] = np.array(visible, np.float64)
    if 'matched_keypoints' in entries[0]:
        matched = np.array([entry['matched_keypoints'] for entry in entries])
        predicted['matched_keypoints_orig'] = matched.reshape(len(entries), -1, 2)
    return predicted


def _check_entries(
    entries: Sequence[Entry],
    num_keypoints: int,
    index: AnnotationIndex,
    source: str | Path,
) -> None:
    for entry in entries:
        wanted = index[entry['ann_id']].img_id, num_keypoints
        found = entry.get('image_id'), len(entry.get('keypoints', ())) / 3
        agree = all(
            len(entry.get(key, ())) == NUMBER_SIZES[key] * num_keypoints
            for key in NUMBER_SIZES.keys() & entries[0].keys()
        )
        if found != wanted or not agree:
            raise ConfigError(
                f'{source}: the prediction for annotation {entry["ann_id"]} is of '
                f'image {found[0]} and has {found[1]:g} keypoints, but {index.source} '
                f'has it on image {wanted[0]} with {num_keypoints}. Score it with the '
                f'file that was tested on.'
            )
