"""Scoring stored predictions again: the same metric, without the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.annotation_index import AnnotationIndex
from ..datasets.frozen_episodes import files_sha256
from ..errors import ConfigError
from ..structures import Episode
from .episode_pck import EpisodePCK
from .report import format_table, write_metrics
from .result_file import StoredResults, read_results, results_path, write_results
from .results import ResultTable


def rescore(
    result: str | Path, ann_file: str | Path, out: str | Path | None = None
) -> dict[str, Any]:
    """Score the predictions of a test again, print the table and write the metrics.

    With the annotation file that was tested on, the result equals that of the test to
    the last bit; with a corrected one, it is what the test would have been. Pairs that
    were dropped then stay dropped.

    Args:
        result: file of results, the metrics file beside it, or their folder.
        ann_file: annotation JSON.
        out: metrics file; default ``rescored.json`` beside the results. The table of
            the new results is written beside it.

    Returns:
        The metrics; under ``run`` what the predictions were made with.

    Raises:
        MissingDataError: a file does not exist, or no pair was scored.
        AnnotationFormatError: one of the files is damaged.
        ConfigError: the test had no fixed episodes, or the annotation file is that of
            other data.
    """
    stored, index = read_results(result), AnnotationIndex.read([ann_file])
    if not stored.episodes:
        raise ConfigError(
            f'{stored.path} does not say what the supports were: it can only be scored '
            f'again after a test of fixed episodes without templates'
        )
    table, metric = stored.table, EpisodePCK()
    is_scored = table.is_scored
    for place in np.unique(table.episode_index[is_scored]).tolist():
        rows = np.flatnonzero(is_scored & (table.episode_index == place))
        sample = _data_sample(stored, index, table.take(rows), place)
        metric.process(None, [sample])
    metric.results.append(table.take(np.flatnonzero(~is_scored)))
    metrics = metric.evaluate(len(table))
    run = dict(stored.run, predictions=str(stored.path), ann_file=str(ann_file))
    metrics['run'] = dict(run, annotations_sha256=files_sha256([ann_file]))
    path = Path(out) if out is not None else stored.path.with_name('rescored.json')
    write_metrics(metrics, path)
    beside = results_path(path), metrics['run'], stored.episodes
    print(format_table(metrics))
    print(f'metrics: {path}\nresults: {write_results(metric.pairs, *beside)}')
    return metrics


def _data_sample(
    stored: StoredResults, index: AnnotationIndex, pairs: ResultTable, place: int
) -> dict[str, Any]:
    """The scored pairs of an episode, as MMEngine would hand it to the metric."""
    episode = stored.episodes[place]
    ann_ids = pairs.ann_id.tolist()
    _check_labels(stored, index, episode, ann_ids)
    category = index.categories[episode.category_id]
    return dict(
        episode_index=place,
        category_id=category.id,
        category_name=category.name,
        supercategory=category.supercategory,
        num_keypoints=category.num_keypoints,
        query_slots=pairs.slot,
        support_instances=_stack(index, episode.support_ids),
        gt_instances=_stack(index, ann_ids),
        pred_instances=_predictions(pairs, category.num_keypoints),
    )


def _check_labels(
    stored: StoredResults,
    index: AnnotationIndex,
    episode: Episode,
    ann_ids: Sequence[int],
) -> None:
    category_id = episode.category_id
    num_keypoints = stored.table.num_keypoints[category_id]
    for ann_id in (*episode.support_ids, *ann_ids):
        wanted = category_id, num_keypoints
        if ann_id not in index or wanted != (
            index[ann_id].category_id,
            len(index[ann_id].keypoints),
        ):
            raise ConfigError(
                f'{stored.path}: the predictions are of other data: annotation '
                f'{ann_id} was of category {category_id} with {num_keypoints} '
                f'keypoints, {index.source} does not have it or has it otherwise'
            )


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


def _predictions(pairs: ResultTable, num_keypoints: int) -> dict[str, np.ndarray]:
    """What the model told of the pairs; zeros where no support showed a keypoint."""
    points, floors = pairs.points, pairs.floors
    columns = dict(keypoints_orig=np.stack([points['x'], points['y']], axis=1))
    columns |= dict(
        keypoint_scores=points['score'], keypoints_visible=points['visible']
    )
    if 'matching' in floors:
        columns['matched_keypoints_orig'] = floors['matching'].predicted
    predicted = {}
    for name, values in columns.items():
        if len(values) and not np.isnan(values).all():
            full = np.zeros(
                (len(pairs), num_keypoints, *values.shape[1:]), values.dtype
            )
            full[pairs.pair_of_point, points['index']] = values
            predicted[name] = full
    return predicted
