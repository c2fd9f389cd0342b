"""The distance of every scored keypoint, kept per support-query pair."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

KEYPOINT_TYPE = np.dtype(
    [('index', '<u2'), ('visibility', 'u1'), ('distance', '<f8'), ('floor', '<f8')]
)
"""``index`` in the category, ``visibility`` v of the query's label (0 where the data
do not tell), ``distance`` and that of the copied support as shares of max(w, h)."""


def pack_keypoints(
    distance: np.ndarray,
    floor: np.ndarray,
    is_scored: np.ndarray,
    visibility: np.ndarray | None = None,
) -> list[bytes]:
    """Pack the scored keypoints of every query in 19 bytes each.

    Args:
        distance: normalised distance of the prediction, (Q, K).
        floor: the same of the copied support, (Q, K).
        is_scored: bool (Q, K).
        visibility: COCO's v of the query's keypoints, (Q, K); any other number than 1
            and 2 is unknown.

    Returns:
        Q entries, in the order of the keypoints.
    """
    if visibility is None:
        visibility = np.zeros(is_scored.shape)
    is_told = (visibility == 1) | (visibility == 2)
    table = np.empty(is_scored.shape, KEYPOINT_TYPE)
    table['index'] = np.arange(is_scored.shape[1])
    table['visibility'] = np.where(is_told, visibility, 0)
    table['distance'], table['floor'] = distance, floor
    return [table[row, mask].tobytes() for row, mask in enumerate(is_scored)]


def unpack_keypoints(packed: Iterable[bytes | None]) -> tuple[np.ndarray, np.ndarray]:
    """Undo :func:`pack_keypoints` for many pairs at once.

    Args:
        packed: one entry per pair; None for a dropped pair, which has no keypoint.

    Returns:
        Keypoints of all pairs in their order, of :data:`KEYPOINT_TYPE` (M,), and the
        place in ``packed`` that each comes from, int64 (M,).
    """
    parts = [part or b'' for part in packed]
    counts = np.array([len(part) for part in parts], np.int64) // KEYPOINT_TYPE.itemsize
    keypoints = np.frombuffer(b''.join(parts), KEYPOINT_TYPE)
    return keypoints, np.repeat(np.arange(len(parts)), counts)
