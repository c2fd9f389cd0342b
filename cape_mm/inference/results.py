"""What an inferencer says of one picture or video frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class InferenceResult:
    """Predictions for the N instances of one picture or frame.

    Convention:
        - coordinates are (x, y) in pixels of the picture as it is shown: after the turn
          that its EXIF data ask for, which is what annotation tools show too
        - keypoints keep the support's order and number, whatever the picture shows

    Attributes:
        source: path of the file, or ``'image 3'`` for the fourth array of a list.
        frame: 0-based frame number in a video, None for a picture.
        image_size: (w, h) in pixels.
        keypoints: (x, y), float64 (N, K, 2). A point that no support marks is at the
            centre of its box, with confidence 0.
        confidence: that a point is right, in [0, 1], float64 (N, K).
        visibility: probability that the picture shows the keypoint, float64 (N, K); NaN
            from a model that does not tell.
        boxes: of the instances, (x, y, w, h), float64 (N, 4), clipped to the picture.
        notes: what a reader should know, e.g. that only the first frame was read.
        image: BGR uint8 (H, W, 3) where it was asked for, else None.
    """

    source: str
    frame: int | None
    image_size: tuple[int, int]
    keypoints: np.ndarray
    confidence: np.ndarray
    visibility: np.ndarray
    boxes: np.ndarray
    notes: tuple[str, ...] = ()
    image: np.ndarray | None = None


@dataclass(frozen=True)
class SkippedInput:
    """An input without prediction.

    Attributes:
        source: as in :class:`InferenceResult`.
        frame: of a video: the frame, or the one at which it broke off; else None.
        reason: for people to read.
    """

    source: str
    frame: int | None
    reason: str

    def __str__(self) -> str:
        place = '' if self.frame is None else f', frame {self.frame}'
        return f'{self.source}{place}: {self.reason}'
