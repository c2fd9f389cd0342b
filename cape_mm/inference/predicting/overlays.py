"""Predictions drawn on copies of the pictures and videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from ...errors import ConfigError
from ...formats.file_names import fitting_name
from ...visualization import draw_pose
from .. import InferenceResult
from ..sources import Source
from ..video import VideoReader, VideoWriter

FOLDER = 'overlays'
MAX_SIDE = 2048
"""Larger pictures are drawn smaller."""
JPEG_QUALITY = 92


def draw_result(
    image: np.ndarray,
    result: InferenceResult,
    skeleton: Sequence[Sequence[int]],
    is_known: np.ndarray,
    min_confidence: float,
) -> np.ndarray:
    """All instances of a picture, drawn.

    Args:
        image: BGR, uint8 (H, W, 3).
        result: its predictions.
        skeleton: 0-based index pairs.
        is_known: keypoints that the support marks, bool (K,).
        min_confidence: keypoints below are left out.

    Returns:
        A new picture, no side longer than ``MAX_SIDE``.
    """
    scale = min(1.0, MAX_SIDE / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=3)
    for points, scores in zip(result.keypoints, result.confidence):
        is_shown = is_known & (scores >= min_confidence)
        image = draw_pose(image, points * scale, is_shown, skeleton, scores)
    return image


def picture_path(out: Path, name: str, suffix: str = '.jpg') -> Path:
    """Where the overlay of a picture or a video goes."""
    is_jpeg = suffix == '.jpg' and name.lower().endswith(('.jpg', '.jpeg'))
    path = PurePosixPath(name if is_jpeg else f'{name}{suffix}')
    return out / FOLDER / fitting_name(path)


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write an overlay picture.

    Raises:
        ConfigError: it can't be written.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    content = cv2.imencode('.jpg', image, options)[1].tobytes()
    make_folder_of(path)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f'{path} can not be written: {error.strerror}') from error


def make_folder_of(path: Path) -> None:
    """Make the folder that an overlay goes to.

    Raises:
        ConfigError: it can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f'{path} can not be written: {error.strerror}') from error


def write_video(
    path: Path,
    source: Source,
    results: Iterator[InferenceResult],
    every: int,
    skeleton: Sequence[Sequence[int]],
    is_known: np.ndarray,
    min_confidence: float,
) -> Path | None:
    """Draw the predictions of a video on its frames, one frame in memory at a time.

    Args:
        path: the .mp4 file.
        source: the video.
        results: of its sampled frames, in their order.
        every: every n-th frame was sampled.
        skeleton: 0-based index pairs.
        is_known: keypoints that the support marks, bool (K,).
        min_confidence: keypoints below are left out.

    Returns:
        The file, or None where there is no result.

    Raises:
        ConfigError: it can't be written.
    """
    result = next(results, None)
    if result is None:
        return None
    make_folder_of(path)
    style = (skeleton, is_known, min_confidence)
    with VideoReader(source.content) as reader:
        size = _even(draw_result(_blank(result), result, *style)).shape[1::-1]
        with VideoWriter(path, reader.fps / every, size) as writer:
            for number, image in reader.frames(every):
                if result is None or number > result.frame:
                    break
                writer.write(_even(draw_result(image, result, *style)))
                result = next(results, None)
    return path


def _blank(result: InferenceResult) -> np.ndarray:
    return np.zeros((*result.image_size[::-1], 3), np.uint8)


def _even(image: np.ndarray) -> np.ndarray:
    """Video encoders want even sides: the last row or column is left out."""
    return image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
