"""Frames of a video file, one at a time, and a video file from frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np

from ..errors import ConfigError, ImageDecodeError, ImageNotFoundError
from ..utils.atomic_write import replacing
from .pictures import refuse_other_than_files

SUFFIXES = frozenset(
    ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg', '.wmv', '.mjpeg')
    + ('.mts', '.m2ts', '.3gp', '.flv', '.ogv')
)
DEFAULT_FPS = 25.0
MISSING_SHARE = 0.02
"""A video that ends this much before its told length is cut off."""


def _is_text(path: str | Path) -> bool:
    """Whether a path is UTF-8; OpenCV ends the process on one that is not."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


class VideoReader(closing):
    """Reads a video from its beginning; memory does not grow with its length.

    Args:
        path: the file.

    Attributes:
        fps: frames per second.
        num_told: frames that the file says it has, 0 if it does not; not always true.
        num_read: frames that were passed so far.

    Raises:
        ImageNotFoundError: there is no such file.
        ImageDecodeError: it can't be opened as a video.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(self)
        path = Path(path)
        if not path.exists():
            raise ImageNotFoundError(f'no such file: {path}')
        refuse_other_than_files(path)
        if not _is_text(path):
            raise ImageDecodeError(
                'has a name that is not UTF-8, which OpenCV can not open: rename it'
            )
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise ImageDecodeError(
                'can not be decoded as a video: damaged, empty, or of a codec that '
                'this OpenCV does not have (ffmpeg -i IN -c:v libx264 OUT.mp4 converts '
                'it)'
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.num_read = 0
        self.num_told = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.fps = fps if np.isfinite(fps) and 0 < fps < 1000 else DEFAULT_FPS

    def frames(self, every: int = 1) -> Iterator[tuple[int, np.ndarray]]:
        """Every n-th frame with its number; the others are not converted to pixels.

        Args:
            every: n.

        Raises:
            ImageDecodeError: not even one frame can be decoded.
        """
        while self._capture.grab():
            if self.num_read % every == 0:
                is_read, image = self._capture.retrieve()
                if not is_read:
                    break
                yield self.num_read, image
            self.num_read += 1
        if self.num_read == 0:
            raise ImageDecodeError('is a video without a frame that can be decoded')

    def how_cut_off(self) -> str | None:
        """What is wrong with a video that ended earlier than it says, else None."""
        if self.num_read >= self.num_told * (1 - MISSING_SHARE):
            return None
        return (
            f'is cut off: only {self.num_read:,} of its {self.num_told:,} frames decode'
        )

    def close(self) -> None:
        """Release the file."""
        self._capture.release()


@contextmanager
def video_writer(
    path: str | Path, fps: float, size: tuple[int, int]
) -> Iterator[cv2.VideoWriter]:
    """Writes a video, which takes its place when it is complete.

    Args:
        path: the .mp4 file.
        fps: frames per second.
        size: (w, h) of the frames, BGR uint8.

    Raises:
        ConfigError: it can't be written.
    """
    if not _is_text(path):
        raise ConfigError(
            f'{os.fsencode(path)} can not be written: the name is not UTF-8, which '
            f'OpenCV wants of a video'
        )
    codec = cv2.VideoWriter_fourcc(*'mp4v')
    try:
        with replacing(path) as partial:
            writer = cv2.VideoWriter(str(partial), codec, fps, size)
            try:
                if not writer.isOpened():
                    raise ConfigError(
                        f'{path} can not be written: no permission, a full disk, or an '
                        f'OpenCV without a video encoder'
                    )
                yield writer
            finally:
                writer.release()
    except OSError as error:
        raise ConfigError(f'{path} can not be written: {error.strerror}') from error
