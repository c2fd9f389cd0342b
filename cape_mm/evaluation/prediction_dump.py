"""Predictions on disk: COCO keypoint results that can be scored without the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import MP100EpisodeDataset
from ..datasets.templates import TEMPLATE_ID
from ..structures import Episode
from ..utils.atomic_write import write_text_atomically
from .results import ResultTable

FORMAT = 'cape_mm predictions 1'
NO_CONFIDENCE = 2
"""Third number of a keypoint whose model has no confidences: COCO's "visible"."""
NUMBER_SIZES = dict(keypoints=3, keypoints_visible=1, matched_keypoints=2)
"""Lists in an entry and their numbers per keypoint; all but the first are optional."""

Entry = dict[str, Any]


def write_dump(
    table: ResultTable,
    dataset: MP100EpisodeDataset,
    episodes: Sequence[Episode],
    run: Mapping[str, Any],
    path: str | Path,
    plan: Mapping[int, Mapping[str, Any]] | None = None,
) -> Path:
    """Write a dump: a list of COCO keypoint results, one per line.

    An entry has COCO's ``image_id``, ``category_id``, ``keypoints`` (x, y in pixels of
    the source image and the confidence, or 2 where the model has none, K times; zeros
    where no support shows the keypoint) and ``score`` (mean confidence); also
    ``episode_index``, ``slot`` and ``ann_id`` of the query, ``support_ids``, and where
    the model tells them ``keypoints_visible`` and ``matched_keypoints`` (x, y of the
    floor ``matching``). The first entry has in addition ``evaluation``, all that it
    takes to see that a pair is missing: ``format``, ``run``, ``plan``,
    ``dropped_pairs`` [episode_index, slot, reason] and ``episodes`` [category_id,
    support_ids, query_ids].

    Args:
        table: all pairs of an evaluation.
        dataset: what they were evaluated on.
        episodes: the whole evaluation list; the place of each is its ``index``.
        run: what the predictions were made with.
        path: the file; its folder is made where needed, an older file is replaced.
        plan: pairs of a full draw, see ``evaluation_plan``.

    Returns:
        The path.
    """
    keys = zip(table.episode_index.tolist(), table.slot.tolist(), table.drop_reason)
    evaluation = dict(
        format=FORMAT,
        run=dict(run),
        plan=plan or {},
        dropped_pairs=[
            [index, slot, str(reason)]
            for index, slot, reason in keys
            if reason and index >= 0
        ],
        episodes=[[e.category_id, e.support_ids, e.query_ids] for e in episodes],
    )
    starts = np.searchsorted(table.pair_of_point, np.arange(len(table) + 1))
    lines = []
    for row in np.flatnonzero(table.is_scored).tolist():
        entry = _make_entry(table, row, slice(*starts[row : row + 2]))
        episode = episodes[entry['episode_index']]
        entry['image_id'] = dataset.index[entry['ann_id']].img_id
        # one that was tested with a template can not be scored without it
        ids = [TEMPLATE_ID] if dataset.templates else episode.support_ids
        entry['support_ids'] = list(ids)
        # a list keeps every number to the last bit
        lines.append(json.dumps(entry, default=np.ndarray.tolist))
    if lines:
        header = json.dumps(dict(evaluation=evaluation))
        lines[0] = f'{lines[0][:-1]}, {header[1:]}'
    return write_text_atomically(path, '[\n' + ',\n'.join(lines) + '\n]\n')


def _make_entry(table: ResultTable, row: int, own: slice) -> Entry:
    """What the table knows of a pair, whose points are ``own``."""
    points, category_id = table.points[own], int(table.category_id[row])
    scores = points['score']
    has_scores = not np.isnan(scores).all()
    third = np.nan_to_num(scores) if has_scores else np.full(len(points), NO_CONFIDENCE)
    columns = dict(keypoints=np.stack([points['x'], points['y'], third], axis=1))
    if not np.isnan(points['visible']).any():
        columns['keypoints_visible'] = points['visible'][:, None]
    if 'matching' in table.floors:
        columns['matched_keypoints'] = table.floors['matching'].predicted[own]
    entry = dict(
        category_id=category_id,
        score=float(third.mean()) if has_scores else 1.0,
        episode_index=int(table.episode_index[row]),
        slot=int(table.slot[row]),
        ann_id=int(table.ann_id[row]),
    )
    for key, values in columns.items():
        full = np.zeros((table.num_keypoints[category_id], values.shape[1]))
        full[points['index']] = values
        entry[key] = full.reshape(-1)
    return entry
