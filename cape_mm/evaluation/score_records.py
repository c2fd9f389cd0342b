"""What a model says of its own predictions, kept per support-query pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from .functional import normalized_distances

CORRECT_THRESHOLD = 0.2
"""A keypoint closer than this share of max(w, h) counts as correct."""

SCORE_TYPE = np.dtype([('score', '<f4'), ('is_true', '?')])
SCORE_TOLERANCE = 1e-3
"""A sum of rounded probabilities may exceed 1 by a little."""


def pack_scores(score: np.ndarray, is_true: np.ndarray) -> bytes:
    """Scores and labels of a pair's keypoints in 5 bytes each.

    An evaluation keeps them of all its keypoints, a million on MP-100; an array per
    pair would weigh more than its content.

    Args:
        score: kept as float32, (n,).
        is_true: bool (n,).
    """
    packed = np.empty(len(score), SCORE_TYPE)
    packed['score'], packed['is_true'] = score, is_true
    return packed.tobytes()


def unpack_scores(packed: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Undo :func:`pack_scores` for many pairs at once.

    Returns:
        Scores float64 and labels bool, (N,), in the order of the pairs.
    """
    joined = np.frombuffer(b''.join(packed), SCORE_TYPE)
    return joined['score'].astype(np.float64), joined['is_true'].copy()


def confidence_records(
    predicted: Mapping[str, np.ndarray],
    gt: np.ndarray,
    is_scored: np.ndarray,
    norm_size: np.ndarray,
) -> list[bytes | None]:
    """Confidence and correctness of the scored keypoints, packed per query.

    Args:
        predicted: ``keypoints_orig`` (Q, K, 2) and, if the model has confidences,
            ``keypoint_scores`` (Q, K).
        gt: true keypoints, (Q, K, 2).
        is_scored: bool (Q, K).
        norm_size: max(w, h) of the queries' clean boxes, (Q,).

    Returns:
        Q entries, None without confidences.

    Raises:
        ValueError: the shape is another one, or a confidence is NaN or outside [0, 1].
    """
    scores = predicted.get('keypoint_scores')
    if scores is None:
        return [None] * len(gt)
    _check_scores('keypoint_scores', scores, is_scored)
    excess = np.abs(scores[is_scored] - 0.5).max(initial=0) - 0.5
    if excess > SCORE_TOLERANCE:
        raise ValueError(
            f'keypoint_scores must be confidences in [0, 1], but one lies {excess:g} '
            f'outside. Map them in the head, or leave the field out.'
        )
    distance = normalized_distances(
        predicted['keypoints_orig'], gt, is_scored, norm_size
    )
    is_correct = distance < CORRECT_THRESHOLD
    scores = scores.clip(0, 1)
    return [
        pack_scores(scores[row, mask], is_correct[row, mask])
        for row, mask in enumerate(is_scored)
    ]


def visibility_records(
    predicted: Mapping[str, np.ndarray],
    query: Mapping[str, np.ndarray],
    support: Mapping[str, np.ndarray],
) -> list[bytes | None]:
    """Predicted and true visibility of the keypoints that all supports show.

    Args:
        predicted: if the model tells it, ``keypoints_visible`` (Q, K).
        query: ``is_visible_orig`` (Q, K).
        support: ``is_visible_orig`` (S, K).

    Returns:
        Q entries, packed, None without predicted visibilities.

    Raises:
        ValueError: the shape is another one, or a probability is NaN or infinite.
    """
    is_visible = query['is_visible_orig']
    scores = predicted.get('keypoints_visible')
    if scores is None:
        return [None] * len(is_visible)
    is_known = support['is_visible_orig'].all(axis=0)
    _check_scores('keypoints_visible', scores, is_known & np.ones_like(is_visible))
    return [
        pack_scores(scores[row, is_known], is_visible[row, is_known])
        for row in range(len(is_visible))
    ]


def _check_scores(name: str, scores: np.ndarray, is_read: np.ndarray) -> None:
    if scores.shape != is_read.shape:
        raise ValueError(f'{name} must be (Q, K) = {is_read.shape}, got {scores.shape}')
    broken = is_read & ~np.isfinite(scores)
    if broken.any():
        row, keypoint = np.argwhere(broken)[0]
        raise ValueError(
            f'{broken.sum()} {name} are NaN or infinite; the first is that of keypoint '
            f'{keypoint} of query {row}'
        )
