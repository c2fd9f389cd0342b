"""The floor: the support's keypoints, pasted into the query's box.

It looks at no image, so a method is worth what it adds to it. On the official MP-100
test episodes (1 shot, ``random.Random(1)``, 200 x 15 pairs per category) it scores
PCK@0.2 = 48.1 / 52.3 / 51.7 / 45.4 / 52.6 on splits 1 to 5; other draws move these by
up to half a point.
"""

from __future__ import annotations

import numpy as np


def _check_supports(
    keypoints: np.ndarray, is_visible: np.ndarray, bboxes: np.ndarray
) -> None:
    """Refuse supports whose arrays disagree or whose boxes have no size."""
    shots = keypoints.shape[:1]
    if keypoints.ndim != 3 or keypoints.shape[-1] != 2 or not shots[0]:
        raise ValueError(f'support keypoints must be (S, K, 2), got {keypoints.shape}')
    if is_visible.shape != keypoints.shape[:2] or bboxes.shape != (*shots, 4):
        raise ValueError(
            f'support keypoints {keypoints.shape}, visibility {is_visible.shape} and '
            f'boxes {bboxes.shape} disagree: (S, K, 2), (S, K), (S, 4) are expected'
        )
    if not (bboxes[:, 2:].max(axis=1) > 0).all():
        raise ValueError(f'a support box has no size: {bboxes.tolist()}')


def copy_support(
    support_keypoints: np.ndarray,
    support_is_visible: np.ndarray,
    support_bboxes: np.ndarray,
    query_bboxes: np.ndarray,
) -> np.ndarray:
    """Paste the support's keypoints into the boxes of the queries.

    Convention:
        - a keypoint's place is its offset from the centre of its box, in units of
          max(w, h): the box is made square, so the aspect ratio is kept
        - several shots: the mean over the shots in which the keypoint is visible
        - a keypoint that no shot shows is put at the query box's centre, and is never
          scored, as the protocol's mask asks for visibility in all supports

    Args:
        support_keypoints: (x, y) in source-image pixels, (S, K, 2).
        support_is_visible: bool (S, K).
        support_bboxes: clean boxes (x, y, w, h), (S, 4).
        query_bboxes: clean boxes (x, y, w, h), (Q, 4).

    Returns:
        Keypoints in source-image pixels of each query, float64 (Q, K, 2).

    Raises:
        ValueError: shapes disagree, there is no support, or a support box has no size.
    """
    keypoints = np.asarray(support_keypoints, dtype=np.float64)
    is_visible = np.asarray(support_is_visible, dtype=bool)
    bboxes = np.asarray(support_bboxes, dtype=np.float64)
    _check_supports(keypoints, is_visible, bboxes)
    center, side = _square(bboxes)
    relative = (keypoints - center[:, None]) / side[:, None, None]
    relative = np.where(is_visible[..., None], relative, 0).sum(axis=0)
    relative /= np.maximum(is_visible.sum(axis=0), 1)[:, None]

    query_center, query_side = _square(np.asarray(query_bboxes, dtype=np.float64))
    return query_center[:, None] + relative[None] * query_side[:, None, None]


def _square(bboxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2) and sides (N,) of the squares on the boxes' longer sides."""
    return bboxes[:, :2] + bboxes[:, 2:] / 2, bboxes[:, 2:].max(axis=1)
