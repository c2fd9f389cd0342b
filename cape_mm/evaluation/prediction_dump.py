"""Predictions as a file of COCO keypoint results, for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..datasets import MP100EpisodeDataset
from ..utils.atomic_write import write_text_atomically
from .results import ResultTable

NO_CONFIDENCE = 2
"""Third number of a keypoint whose model has no confidences: COCO's "visible"."""


def write_dump(
    table: ResultTable, dataset: MP100EpisodeDataset, path: str | Path
) -> Path:
    """Write a list of COCO keypoint results, one per line.

    An entry has COCO's ``image_id``, ``category_id``, ``keypoints`` (x, y in pixels of
    the source image and the confidence, or 2 where the model has none, K times; zeros
    where no support shows the keypoint) and ``score`` (mean confidence); also
    ``episode_index``, ``slot`` and ``ann_id`` of the query.

    Args:
        table: all pairs of an evaluation.
        dataset: what they were evaluated on.
        path: the file; its folder is made where needed, an older file is replaced.

    Returns:
        The path.
    """
    starts = np.searchsorted(table.pair_of_point, np.arange(len(table) + 1))
    lines = []
    for row in np.flatnonzero(table.is_scored).tolist():
        points = table.points[slice(*starts[row : row + 2])]
        category_id, ann_id = int(table.category_id[row]), int(table.ann_id[row])
        has_scores = not np.isnan(points['score']).all()
        third = np.nan_to_num(points['score']) if has_scores else NO_CONFIDENCE
        keypoints = np.zeros((table.num_keypoints[category_id], 3))
        keypoints[points['index'], 0] = points['x']
        keypoints[points['index'], 1] = points['y']
        keypoints[points['index'], 2] = third
        entry = dict(
            image_id=dataset.index[ann_id].img_id,
            category_id=category_id,
            keypoints=keypoints.reshape(-1).tolist(),
            score=float(np.mean(third)) if has_scores else 1.0,
            episode_index=int(table.episode_index[row]),
            slot=int(table.slot[row]),
            ann_id=ann_id,
        )
        lines.append(json.dumps(entry))
    return write_text_atomically(path, '[\n' + ',\n'.join(lines) + '\n]\n')
