"""Uploaded pictures: checked, made visible for a browser, cropped for the model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ..errors import ImageDecodeError
from ..inference import CapeInferencer
from ..inference.batching import Task
from ..inference.boxes import whole_image
from ..inference.pictures import decode_picture
from ..inference.sources import Frame

PREVIEW_SIDE = 2048
"""The browser gets larger pictures smaller than they are; the model does not."""
PREVIEW_QUALITY = 92
MAX_NAME = 120
KEY = re.compile(r'[0-9a-z]{16,64}')
"""Random keys that a browser makes for itself and for its pictures."""


@dataclass(frozen=True)
class Limits:
    """Bounds of memory and work.

    Attributes:
        max_file_bytes: of one uploaded file.
        max_pixels: of one picture, checked before it is decoded.
        min_side: of a picture in pixels.
        max_queries: pictures to predict.
        max_shots: marked objects that are used as supports.
        max_points: keypoints.
        max_objects: boxes on one picture.
        max_body_bytes: of a request that is no picture.
        max_total_bytes: of the files of all users that are in memory.
        max_sessions: users at the same time.
        idle_seconds: a user who asked nothing for so long makes room for others.
    """

    max_file_bytes: int = 20 * 2**20
    max_pixels: int = 60_000_000
    min_side: int = 16
    max_queries: int = 40
    max_shots: int = 5
    max_points: int = 100
    max_objects: int = 20
    max_body_bytes: int = 4 * 2**20
    max_total_bytes: int = 2 * 2**30
    max_sessions: int = 8
    idle_seconds: float = 300.0


@dataclass(eq=False)
class Picture:
    """A picture of a user's.

    Attributes:
        name: of the file, for people; never a path to open.
        content: of the file.
        size: (w, h), turned as its EXIF data ask for.
        notes: what its user should know of it.
    """

    name: str
    content: bytes
    size: tuple[int, int]
    notes: tuple[str, ...] = ()
    _cropped: tuple[tuple, Task] | None = field(default=None, repr=False)

    def image(self) -> np.ndarray:
        """The picture itself, BGR uint8 (H, W, 3), as ``tools/predict.py`` reads it."""
        return decode_picture(self.content).image

    def crop(
        self, inferencer: CapeInferencer, boxes: Sequence[Sequence | None]
    ) -> Task:
        """Its objects as the model takes them; the last are kept for the next time.

        Args:
            inferencer: has the pipeline.
            boxes: (x, y, w, h) in pixels; None is the whole picture.

        Raises:
            ConfigError: a box has no area inside the picture.
        """
        key = tuple(None if box is None else tuple(box) for box in boxes)
        if self._cropped is None or self._cropped[0] != key:
            whole = whole_image(self.size)[0]
            given = np.array([whole if box is None else box for box in key])
            frame = Frame(self.name, None, self.image())
            self._cropped = key, inferencer.crop(frame, given)
        return self._cropped[1]


def read_upload(name: str, content: bytes, limits: Limits) -> tuple[Picture, bytes]:
    """Check an uploaded file.

    Args:
        name: as the browser tells it.
        content: of the file.
        limits: see there.

    Returns:
        The picture, and a JPEG file that every browser shows.

    Raises:
        ImageDecodeError: it is no picture, too large or too small.
    """
    name = clean_name(name)
    if len(content) > limits.max_file_bytes:
        raise ImageDecodeError(
            f'{name}: {len(content):,} bytes, but at most {limits.max_file_bytes:,} '
            f'are taken. Save it smaller.'
        )
    try:
        image, notes = decode_picture(content, limits.max_pixels)
    except ImageDecodeError as error:
        raise ImageDecodeError(f'{name}: {error}') from error
    height, width = image.shape[:2]
    if min(height, width) < limits.min_side:
        raise ImageDecodeError(
            f'{name}: only {width} x {height} pixels; both sides must have at least '
            f'{limits.min_side}.'
        )
    return Picture(name, content, (width, height), notes), _preview(image)


def _preview(image: np.ndarray) -> bytes:
    scale = PREVIEW_SIDE / max(image.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, PREVIEW_QUALITY]
    return cv2.imencode('.jpg', image, options)[1].tobytes()


def clean_name(name: str) -> str:
    """A file's name without folders and unprintable letters, of bounded length."""
    last = re.split(r'[\\/]', str(name))[-1]
    text = ''.join(letter for letter in last if letter.isprintable()).strip()
    return text[-MAX_NAME:] if text.strip('.') else 'picture'
