"""Uploaded pictures: decoded, made smaller for the page, mapped back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import ImageDecodeError
from ..inference.pictures import decode_picture

MAX_SIDE = 1280
"""Kept pictures are no larger: the model sees a few hundred pixels of them."""

MIN_VIEW = 640
"""The page shows smaller pictures enlarged to this side, so that clicks are exact."""

MAX_NAME = 120


@dataclass(frozen=True)
class Limits:
    """Bounds of memory and disk.

    Attributes:
        max_file_bytes: of one uploaded file.
        max_pixels: of one picture, checked before it is decoded.
        min_side: of a picture in pixels.
        max_queries: pictures to predict, per user.
        max_shots: support pictures, per user.
        max_points: keypoints.
        max_folder_bytes: of all that was uploaded and is still there.
        max_sessions: users whose work is kept at the same time.
        max_undo: steps that can be taken back.
    """

    max_file_bytes: int = 20 * 2**20
    max_pixels: int = 60_000_000
    min_side: int = 16
    max_queries: int = 40
    max_shots: int = 8
    max_points: int = 100
    max_folder_bytes: int = 4 * 2**30
    max_sessions: int = 8
    max_undo: int = 50

    @property
    def max_request_bytes(self) -> int:
        """Of one upload: all queries at their largest, and what is around them."""
        return self.max_queries * self.max_file_bytes + 2**20


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a user's.

    Convention:
        - *original* pixels: of the uploaded file, turned as its EXIF data ask for
        - *kept* pixels: of ``image``
        - *view* pixels: of what the page shows
        - (x, y), integers at the centres of pixels

    Attributes:
        name: the file's name, for people and for the COCO file; never a path to open.
        image: BGR, uint8 (H, W, 3), no side longer than ``MAX_SIDE``.
        size: (w, h) of the original.
    """

    name: str
    image: np.ndarray
    size: tuple[int, int]

    @property
    def kept_size(self) -> tuple[int, int]:
        """(w, h) of ``image``."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def view_size(self) -> tuple[int, int]:
        """(w, h) of what the page shows."""
        factor = max(1.0, MIN_VIEW / max(self.kept_size))
        width, height = self.kept_size
        return max(1, round(width * factor)), max(1, round(height * factor))

    def to_kept(self, points: np.ndarray) -> np.ndarray:
        """Original pixels to kept ones, (..., 2)."""
        return rescale(points, self.size, self.kept_size)

    def from_kept(self, points: np.ndarray) -> np.ndarray:
        """Kept pixels to original ones, (..., 2)."""
        return rescale(points, self.kept_size, self.size)

    def to_view(self, points: np.ndarray) -> np.ndarray:
        """Original pixels to those of the view, (..., 2)."""
        return rescale(points, self.size, self.view_size)

    def from_view(self, points: np.ndarray) -> np.ndarray:
        """Pixels of the view to original ones, inside the picture, (..., 2)."""
        found = rescale(points, self.view_size, self.size)
        return np.clip(found, 0, np.array(self.size) - 1)

    def view(self) -> np.ndarray:
        """What the page shows, BGR uint8; a new array."""
        if self.view_size == self.kept_size:
            return self.image.copy()
        return cv2.resize(self.image, self.view_size, interpolation=cv2.INTER_CUBIC)


def rescale(
    points: np.ndarray, old_size: tuple[int, int], new_size: tuple[int, int]
) -> np.ndarray:
    """Points on a resized picture; centres of pixels as ``cv2.resize`` has them."""
    scale = np.array(new_size) / np.array(old_size)
    return (np.asarray(points, dtype=np.float64) + 0.5) * scale - 0.5


def read_upload(name: str, content: bytes, limits: Limits) -> Picture:
    """Decode an uploaded file.

    Args:
        name: as the browser tells it.
        content: of the file.
        limits: see there.

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
        image = decode_picture(content, limits.max_pixels).image
    except ImageDecodeError as error:
        raise ImageDecodeError(f'{name}: {error}') from error
    height, width = image.shape[:2]
    if min(height, width) < limits.min_side:
        raise ImageDecodeError(
            f'{name}: only {width} x {height} pixels; both sides must have at least '
            f'{limits.min_side}.'
        )
    return Picture(name, _shrink(image), (width, height))


def _shrink(image: np.ndarray) -> np.ndarray:
    scale = MAX_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def clean_name(name: str) -> str:
    """A file's name without folders and unprintable letters, of bounded length."""
    last = re.split(r'[\\/]', str(name))[-1]
    text = ''.join(letter for letter in last if letter.isprintable()).strip()
    return text[-MAX_NAME:] or 'picture'


def unique_name(name: str, taken: Iterable[str]) -> str:
    """The name, with a number before its suffix where it is taken."""
    taken = set(taken)
    stem, dot, suffix = name.rpartition('.')
    if not stem:
        stem, dot, suffix = name, '', ''
    found, count = name, 2
    while found in taken:
        found, count = f'{stem} ({count}){dot}{suffix}', count + 1
    return found
