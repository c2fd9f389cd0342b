"""From one evaluated episode to one record per support-query pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

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
from .keypoint_records import pack_keypoints
from .score_records import confidence_records, visibility_records

PCK_KEYS = tuple(f'PCK@{thr:g}' for thr in PCK_THRESHOLDS)
AUC_THRESHOLDS = tuple(np.arange(NUM_AUC_THRESHOLDS) / NUM_AUC_THRESHOLDS)
VALUE_KEYS = (*PCK_KEYS, 'AUC', 'NME', 'EPE')


class PairRecord(NamedTuple):
    """What the metric keeps of one support-query pair.

    Attributes:
        episode_index: position of the episode in the evaluation list.
        slot: place of the query in the episode; with ``episode_index`` the pair's key.
        category_id: id of the category; names may occur twice, ids may not.
        category_name: for the report.
        values: one float per :data:`VALUE_KEYS`, NaN without a scorable keypoint;
            None for a dropped pair.
        floor_values: the same of the copied support.
        drop_reason: why the pair could not be evaluated, None for a scored pair.
        confidences: confidence and correctness of every scored keypoint, packed
            (see ``score_records``); None without ``keypoint_scores``.
        visibilities: probability that it is visible, and whether it is, of every
            keypoint that all supports show, packed; None without
            ``keypoints_visible``.
        supercategory: group of the category, '' where the data name none.
        num_keypoints: K; 0 where unknown.
        keypoints: distance of every scored keypoint, packed (see
            ``keypoint_records``); None for a dropped pair.
    """

    episode_index: int
    slot: int
    category_id: int
    category_name: str
    values: tuple[float, ...] | None
    floor_values: tuple[float, ...] | None
    drop_reason: str | None
    confidences: bytes | None = None
    visibilities: bytes | None = None
    supercategory: str = ''
    num_keypoints: int = 0
    keypoints: bytes | None = None


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
    """All values of :data:`VALUE_KEYS` for every query.

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


def _identity(data_sample: Mapping) -> dict:
    """The fields of :class:`PairRecord` that all pairs of an episode share."""
    return {
        'episode_index': int(data_sample['episode_index']),
        'category_id': int(data_sample['category_id']),
        'category_name': str(data_sample.get('category_name', '')),
        'supercategory': str(data_sample.get('supercategory', '')),
        'num_keypoints': int(data_sample.get('num_keypoints', 0)),
    }


def dropped_records(data_sample: Mapping) -> list[PairRecord]:
    """Records of the pairs of one episode whose query or support did not load.

    Args:
        data_sample: :class:`EpisodeDataSample` as a dict.
    """
    return [
        PairRecord(
            slot=int(pair['slot']),
            values=None,
            floor_values=None,
            drop_reason=str(pair['reason']),
            **_identity(data_sample),
        )
        for pair in data_sample.get('dropped_pairs', ())
    ]


def scored_records(data_sample: Mapping) -> list[PairRecord]:
    """Score the loaded queries of one episode, and the copied support beside them.

    Args:
        data_sample: :class:`EpisodeDataSample` with predictions, as a dict.

    Returns:
        One record per query; none if no query of the episode loaded.

    Raises:
        ValueError: predictions and labels disagree in number of queries or keypoints,
            a scored prediction is NaN or infinite, or a confidence is no probability.
    """
    if not len(data_sample['query_slots']):
        return []
    where = (
        f'episode {data_sample["episode_index"]} of category '
        f'{data_sample["category_id"]}'
    )
    query = instance_arrays(data_sample['gt_instances'])
    support = instance_arrays(data_sample['support_instances'])
    predicted = instance_arrays(data_sample['pred_instances'])
    pred = predicted['keypoints_orig']
    gt = query['keypoints_orig']
    if pred.shape != gt.shape or len(gt) != len(data_sample['query_slots']):
        raise ValueError(
            f'{where}: expected predictions of shape (Q, K, 2) = {gt.shape} for '
            f'{len(data_sample["query_slots"])} queries, got {pred.shape}'
        )
    mask = scorable_keypoints(query['is_visible_orig'], support['is_visible_orig'])
    norm_size = query['bboxes'][:, 2:].max(axis=1)
    floor = copy_support(
        support['keypoints_orig'],
        support['is_visible_orig'],
        support['bboxes'],
        query['bboxes'],
    )
    try:
        values = pair_values(pred, gt, mask, norm_size)
        confidences = confidence_records(predicted, gt, mask, norm_size)
        visibilities = visibility_records(predicted, query, support)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error
    floor_values = pair_values(floor, gt, mask, norm_size)
    keypoints = pack_keypoints(
        normalized_distances(pred, gt, mask, norm_size),
        normalized_distances(floor, gt, mask, norm_size),
        mask,
        query.get('visibility'),
    )
    return [
        PairRecord(
            slot=int(slot),
            values=tuple(values[row].tolist()),
            floor_values=tuple(floor_values[row].tolist()),
            drop_reason=None,
            confidences=confidences[row],
            visibilities=visibilities[row],
            keypoints=keypoints[row],
            **_identity(data_sample),
        )
        for row, slot in enumerate(data_sample['query_slots'])
    ]


def instance_arrays(instances: Mapping | BaseDataElement) -> dict[str, np.ndarray]:
    """The arrays that metrics read, as far as there, from any instance data."""
    names = (
        *('keypoints_orig', 'is_visible_orig', 'bboxes'),
        *('keypoint_scores', 'keypoints_visible'),
        *('visibility', 'ann_ids', 'img_ids'),
    )
    return {
        name: value.detach().cpu().numpy()
        if isinstance(value, torch.Tensor)
        else np.asarray(value)
        for name, value in instances.items()
        if name in names
    }
