"""Frames of a video file, one at a time, and a video file from frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from ..errors import ConfigError, ImageDecodeError, ImageNotFoundError
from .pictures import refuse_other_than_files

SUFFIXES = frozenset(
    ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg', '.wmv', '.mjpeg')
    + ('.mts', '.m2ts', '.3gp', '.flv', '.ogv')
)
DEFAULT_FPS = 25.0


def _is_text(path: str | Path) -> bool:
    """Whether a path is UTF-8; OpenCV ends the process on one that is not."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


class VideoReader:
    """Reads a video from its beginning; memory does not grow with its length.

    Args:
        path: the file.

    Attributes:
        fps: frames per second.
        num_read: frames that were passed so far.

    Raises:
        ImageNotFoundError: there is no such file.
        ImageDecodeError: it can't be opened as a video.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise ImageNotFoundError(f'no such file: {path}')
        refuse_other_than_files(self.path)
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
        self.fps = fps if np.isfinite(fps) and 0 < fps < 1000 else DEFAULT_FPS

    @property
    def num_frames_told(self) -> int:
        """What the file says of its length, 0 if nothing; not always true."""
        return max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def frames(
        self, every: int = 1, wanted: Callable[[int], bool] | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Every n-th frame with its number; the others are not converted to pixels.

        Args:
            every: n.
            wanted: called with the number of a sampled frame; False leaves it out.

        Raises:
            ImageDecodeError: not even one frame can be decoded.
        """
        while self._capture.grab():
            number = self.num_read
            if number % every == 0 and (wanted is None or wanted(number)):
                is_read, image = self._capture.retrieve()
                if not is_read:
                    break
                yield number, image
            self.num_read += 1
        if self.num_read == 0:
            raise ImageDecodeError('is a video without a frame that can be decoded')

    def close(self) -> None:
        """Release the file."""
        self._capture.release()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class VideoWriter:
    """Writes a video beside its place and moves it there when it is complete.

    Args:
        path: the .mp4 file.
        fps: frames per second.
        size: (w, h) of the frames.

    Raises:
        ConfigError: it can't be written.
    """

    def __init__(self, path: str | Path, fps: float, size: tuple[int, int]) -> None:
        self.path = Path(path)
        if not _is_text(path):
            raise ConfigError(
                f'{os.fsencode(path)} can not be written: the name is not UTF-8, which '
                f'OpenCV wants of a video'
            )
        self._temporary = self.path.with_name(f'.{os.getpid()}.{self.path.name}')
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        self._writer = cv2.VideoWriter(str(self._temporary), codec, fps, size)
        if not self._writer.isOpened():
            raise ConfigError(
                f'{path} can not be written: no permission, a full disk, or an OpenCV '
                f'without a video encoder'
            )

    def write(self, image: np.ndarray) -> None:
        """Append a frame, BGR uint8 (H, W, 3)."""
        self._writer.write(image)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        self._writer.release()
        if kind is None:
            os.replace(self._temporary, self.path)
        else:
            self._temporary.unlink(missing_ok=True)
