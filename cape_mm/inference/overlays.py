"""Predictions drawn on copies of the pictures and videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from ..errors import ConfigError
from ..formats import fitting_name
from ..utils.atomic_write import write_bytes_atomically
from ..visualization import draw_pose
from .results import InferenceResult
from .sources import Source
from .video import VideoReader, video_writer

FOLDER = 'overlays'
MAX_SIDE = 2048
"""Larger pictures are drawn smaller."""
JPEG_QUALITY = 92


@dataclass(frozen=True)
class OverlayStyle:
    """What of a prediction is drawn.

    Attributes:
        skeleton: 0-based index pairs.
        is_known: keypoints that the support marks, bool (K,).
        min_confidence: keypoints below are left out.
    """

    skeleton: Sequence[Sequence[int]]
    is_known: np.ndarray
    min_confidence: float

    def draw(self, image: np.ndarray, result: InferenceResult) -> np.ndarray:
        """All instances of a picture, drawn.

        Args:
            image: BGR, uint8 (H, W, 3).
            result: its predictions.

        Returns:
            A new picture, no side longer than ``MAX_SIDE``.
        """
        scale = min(1.0, MAX_SIDE / max(image.shape[:2]))
        if scale < 1:
            area = cv2.INTER_AREA
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=area)
        for points, scores in zip(result.keypoints, result.confidence):
            is_shown = self.is_known & (scores >= self.min_confidence)
            image = draw_pose(image, points * scale, is_shown, self.skeleton, scores)
        return image


def overlay_path(out: Path, name: str, suffix: str = '.jpg') -> Path:
    """Where the overlay of a picture or a video goes: no two share a place."""
    return out / FOLDER / fitting_name(PurePosixPath(f'{name}{suffix}'))


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write an overlay picture.

    Raises:
        ConfigError: it can't be written.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    content = cv2.imencode('.jpg', image, options)[1].tobytes()
    try:
        write_bytes_atomically(path, content, durable=False)
    except OSError as error:
        raise ConfigError(f'{path} can not be written: {error.strerror}') from error


def write_video(
    path: Path,
    source: Source,
    results: Iterator[InferenceResult],
    every: int,
    style: OverlayStyle,
) -> None:
    """Draw the predictions of a video on its frames, one frame in memory at a time.

    Args:
        path: the .mp4 file.
        source: the video.
        results: of its sampled frames, one at least, in their order.
        every: every n-th frame was sampled.
        style: what is drawn.

    Raises:
        ConfigError: it can't be written.
    """
    result = next(results)
    blank = np.zeros((*result.image_size[::-1], 3), np.uint8)
    size = _even(style.draw(blank, result)).shape[1::-1]
    with (
        VideoReader(source.content) as reader,
        video_writer(path, reader.fps / every, size) as writer,
    ):
        for number, image in reader.frames(every):
            if result is None:
                break
            if number == result.frame:
                image = style.draw(image, result)
                result = next(results, None)
            else:  # it had no usable box
                image = style.draw(image, replace(result, keypoints=()))
            writer.write(_even(image))


def _even(image: np.ndarray) -> np.ndarray:
    """Video encoders want even sides: the last row or column is left out."""
    return image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
