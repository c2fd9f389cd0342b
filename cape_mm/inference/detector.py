"""Boxes from a detector of MMDetection, where that is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import ConfigError


def build_detector(
    config: str | Path,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    score_thr: float = 0.3,
    max_instances: int = 20,
    labels: Sequence[int] | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """A function from a BGR picture to boxes, for ``CapeInferencer(bboxes=...)``.

    Args:
        config: config file or model name that MMDetection knows.
        checkpoint: its weights; None takes those of the model name.
        device: e.g. ``'cuda:0'``.
        score_thr: boxes with a lower score are left out.
        max_instances: most boxes per picture, those of the highest scores.
        labels: class indices to keep; None keeps all.

    Returns:
        Picture (H, W, 3) to boxes (x, y, w, h), float64 (N, 4).

    Raises:
        ConfigError: MMDetection is not installed.
    """
    try:
        from mmdet.apis import DetInferencer
    except ImportError as error:
        raise ConfigError(
            f'a detector needs MMDetection, which is not installed ({error}). Install '
            f'it (pip install mmdet), or give boxes yourself, or leave the detector '
            f'out: then the whole picture is one instance.'
        ) from error
    weights = None if checkpoint is None else str(checkpoint)
    inferencer = DetInferencer(str(config), weights, device, show_progress=False)

    def detect(image: np.ndarray) -> np.ndarray:
        found = inferencer(image, return_datasamples=False)['predictions'][0]
        return choose_boxes(found, score_thr, max_instances, labels)

    return detect


def choose_boxes(
    found: dict, score_thr: float, max_instances: int, labels: Sequence[int] | None
) -> np.ndarray:
    """Boxes (x, y, w, h) of one picture, best first, from MMDetection's record.

    Args:
        found: ``bboxes`` (x1, y1, x2, y2), ``scores`` and ``labels``.
        score_thr: lowest score.
        max_instances: most boxes.
        labels: class indices to keep; None keeps all.
    """
    boxes = np.asarray(found['bboxes'], dtype=np.float64).reshape(-1, 4)
    scores = np.asarray(found['scores'], dtype=np.float64)
    is_kept = (scores >= score_thr) & (boxes[:, 2:] - boxes[:, :2] > 1).all(axis=1)
    if labels is not None:
        is_kept &= np.isin(found['labels'], labels)
    order = np.argsort(-scores[is_kept], kind='stable')[:max_instances]
    corners = boxes[is_kept][order]
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
