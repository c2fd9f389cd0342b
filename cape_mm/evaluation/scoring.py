"""From one evaluated episode to the rows of its pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmengine.structures import BaseDataElement

from .copy_support import copy_support
from .functional import (
    NUM_AUC_THRESHOLDS,
    PCK_THRESHOLDS,
    epe,
    mean_over_keypoints,
    normalized_distances,
)
from .results import POINT_TYPE, Floor, ResultTable, dropped_pairs, join_tables

AUC_THRESHOLDS = tuple(np.arange(NUM_AUC_THRESHOLDS) / NUM_AUC_THRESHOLDS)
SCORE_TOLERANCE = 1e-3
"""A sum of rounded probabilities may exceed 1 by a little."""
ARRAY_NAMES = (
    *('keypoints_orig', 'is_visible_orig', 'bboxes'),
    *('keypoint_scores', 'keypoints_visible', 'matched_keypoints_orig'),
    *('visibility', 'ann_ids', 'img_ids'),
)

Arrays = Mapping[str, np.ndarray]


def scorable_keypoints(
    query_is_visible: np.ndarray, support_is_visible: np.ndarray
) -> np.ndarray:
    """Keypoints that the official protocol scores: seen in the query AND all supports.

    Args:
        query_is_visible: labelled visible in the source image, bool (Q, K).
        support_is_visible: the same of the supports, bool (S, K).

    Returns:
        Mask, bool (Q, K).
    """
    return query_is_visible & support_is_visible.all(axis=0)[None]


def pair_values(
    pred: np.ndarray, gt: np.ndarray, is_valid: np.ndarray, norm_size: np.ndarray
) -> np.ndarray:
    """All values of ``VALUE_KEYS`` for every query.

    Args:
        pred: predicted keypoints in source-image pixels, (Q, K, 2).
        gt: true keypoints, (Q, K, 2).
        is_valid: keypoints to score, bool (Q, K).
        norm_size: max(w, h) of the queries' clean boxes, (Q,).

    Returns:
        float64 (Q, len(VALUE_KEYS)), NaN for a query without a keypoint to score.

    Raises:
        ValueError: shapes disagree, or a prediction to be scored is NaN or infinite.
    """
    # as ``pck``, ``auc``, ``nme`` and ``epe``, to the last bit, but measured once
    normalized = normalized_distances(pred, gt, is_valid, norm_size)
    fractions = _fractions_below(normalized, (*PCK_THRESHOLDS, *AUC_THRESHOLDS))
    num_pck = len(PCK_THRESHOLDS)
    columns = [
        *fractions[:num_pck],
        fractions[num_pck:].mean(axis=0),
        mean_over_keypoints(normalized),
        epe(pred, gt, is_valid),
    ]
    return np.stack(columns, axis=1)


def _fractions_below(values: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """``fraction_below`` of several thresholds at once, (T, Q) from (Q, K)."""
    is_below = values[None] < np.reshape(thresholds, (-1, 1, 1))  # NaN is not
    count = (~np.isnan(values)).sum(axis=1)
    return np.where(count > 0, is_below.sum(axis=2) / np.maximum(count, 1), np.nan)


def score_episode(data_sample: Mapping) -> ResultTable:
    """Score the pairs of one episode, and its floors beside them.

    Args:
        data_sample: :class:`EpisodeDataSample` with predictions, as a dict.

    Returns:
        A row per pair: first the scored ones, then those whose image did not load.

    Raises:
        ValueError: predictions and labels disagree in number of queries or keypoints,
            a scored prediction is NaN or infinite, or a confidence is no probability.
    """
    category_id, index = data_sample['category_id'], data_sample['episode_index']
    dropped = data_sample.get('dropped_pairs', ())
    parts = []
    if len(data_sample['query_slots']):
        try:
            parts.append(_score_loaded(data_sample))
        except ValueError as error:
            raise ValueError(
                f'episode {index} of category {category_id}: {error}'
            ) from error
    if dropped or not parts:
        slots = [int(pair['slot']) for pair in dropped]
        reasons = [str(pair['reason']) for pair in dropped]
        ids = [int(category_id)] * len(slots)
        parts.append(dropped_pairs(int(index), slots, ids, reasons))
    table = parts[0] if len(parts) == 1 else join_tables(parts)
    table.category_names[int(category_id)] = str(data_sample.get('category_name', ''))
    table.supercategories[int(category_id)] = str(data_sample.get('supercategory', ''))
    table.num_keypoints[int(category_id)] = int(data_sample.get('num_keypoints', 0))
    return table


def _score_loaded(data_sample: Mapping) -> ResultTable:
    """Rows of the queries that loaded."""
    query = instance_arrays(data_sample['gt_instances'])
    support = instance_arrays(data_sample['support_instances'])
    predicted = instance_arrays(data_sample['pred_instances'])
    slots = np.asarray(data_sample['query_slots'], np.int64)
    pred, gt = predicted['keypoints_orig'], query['keypoints_orig']
    if pred.shape != gt.shape or len(gt) != len(slots):
        raise ValueError(
            f'expected predictions of shape (Q, K, 2) = {gt.shape} for {len(slots)} '
            f'queries, got {pred.shape}'
        )
    is_shown = support['is_visible_orig']
    is_known = np.broadcast_to(is_shown.any(axis=0), gt.shape[:2])
    is_scored = scorable_keypoints(query['is_visible_orig'], support['is_visible_orig'])
    truth = gt, is_scored, query['bboxes'][:, 2:].max(axis=1)
    floors = {
        name: Floor(
            pair_values(points, *truth),
            normalized_distances(points, *truth)[is_known],
            np.asarray(points, np.float32)[is_known],
        )
        for name, points in floor_predictions(support, query, predicted).items()
    }
    points = np.zeros(is_known.sum(), POINT_TYPE)
    rows, points['index'] = np.nonzero(is_known)
    if 'visibility' in query:
        points['visibility'] = query['visibility'][is_known]
    points['is_scored'] = is_scored[is_known]
    points['distance'] = normalized_distances(pred, *truth)[is_known]
    scores = _read_scores('keypoint_scores', predicted, is_scored)
    excess = np.nanmax(np.abs(scores[is_scored] - 0.5), initial=0) - 0.5
    if excess > SCORE_TOLERANCE:
        raise ValueError(
            f'keypoint_scores must be confidences in [0, 1], but one lies {excess:g} '
            f'outside. Map them in the head, or leave the field out.'
        )
    points['score'] = scores.clip(0, 1)[is_known]
    visible = _read_scores('keypoints_visible', predicted, is_known)
    points['visible'] = visible[is_known]
    points['is_shared'] = is_shown.all(axis=0)[points['index']]
    points['x'], points['y'] = pred[is_known].T
    return ResultTable(
        episode_index=np.full(len(slots), int(data_sample['episode_index']), np.int64),
        slot=slots,
        category_id=np.full(len(slots), int(data_sample['category_id']), np.int64),
        ann_id=query.get('ann_ids', np.full(len(slots), -1)),
        drop_reason=np.full(len(slots), ''),
        values=pair_values(pred, *truth),
        category_names={},
        floors=floors,
        points=points,
        pair_of_point=rows,
    )


def floor_predictions(
    support: Arrays, query: Arrays, predicted: Arrays
) -> dict[str, np.ndarray]:
    """Keypoints by every method that is reported beside the model's.

    Args:
        support: ``keypoints_orig``, ``is_visible_orig`` and ``bboxes`` of S supports.
        query: ``bboxes`` of Q queries.
        predicted: ``matched_keypoints_orig`` (Q, K, 2), what a matcher without
            parameters finds on the model's features, if it has one.

    Returns:
        By name, which becomes the prefix of its metrics, (Q, K, 2) in pixels of the
        source images.
    """
    copied = copy_support(
        support['keypoints_orig'],
        support['is_visible_orig'],
        support['bboxes'],
        query['bboxes'],
    )
    floors = dict(copy_support=copied)
    if 'matched_keypoints_orig' in predicted:
        floors['matching'] = predicted['matched_keypoints_orig']
    return floors


def _read_scores(name: str, predicted: Arrays, is_read: np.ndarray) -> np.ndarray:
    """A number per keypoint, finite where it is read; NaN without the field, (Q, K)."""
    scores = predicted.get(name)
    if scores is None:
        return np.full(is_read.shape, np.nan)
    if scores.shape != is_read.shape:
        raise ValueError(f'{name} must be (Q, K) = {is_read.shape}, got {scores.shape}')
    broken = is_read & ~np.isfinite(scores)
    if broken.any():
        row, keypoint = np.argwhere(broken)[0]
        raise ValueError(
            f'{broken.sum()} {name} are NaN or infinite; the first is that of keypoint '
            f'{keypoint} of query {row}'
        )
    return scores


def instance_arrays(instances: Mapping | BaseDataElement) -> dict[str, np.ndarray]:
    """The arrays that metrics read, as far as there, from any instance data."""
    return {
        name: value.detach().cpu().numpy()
        if isinstance(value, torch.Tensor)
        else np.asarray(value)
        for name, value in instances.items()
        if name in ARRAY_NAMES
    }
