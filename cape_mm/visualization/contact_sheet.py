"""Episodes side by side: support | query with truth | query with prediction."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import ConfigError
from ..utils.atomic_write import write_bytes_atomically
from .drawing import draw_pose

PANEL_SIZE = 256
GAP = 6
TITLE_HEIGHT = 34
CAPTION_HEIGHT = 24
MAX_SHEET_WIDTH = 2000
MAX_SHEET_HEIGHT = 2400
BACKGROUND = (250, 248, 246)
TEXT = (45, 38, 32)
MUTED_TEXT = (125, 115, 105)
FONT = cv2.FONT_HERSHEY_DUPLEX


@dataclass(frozen=True)
class Panel:
    """One picture of a row.

    Attributes:
        image: BGR, uint8 (H, W, 3).
        keypoints: (x, y) in pixels of ``image``, (K, 2).
        is_visible: keypoints to draw, bool (K,).
        caption: short text under the picture.
        scores: confidences in [0, 1], (K,).
        is_hollow: invisible keypoints to draw as rings, bool (K,).
    """

    image: np.ndarray
    keypoints: np.ndarray
    is_visible: np.ndarray
    caption: str
    scores: np.ndarray | None = None
    is_hollow: np.ndarray | None = None


def episode_row(
    panels: Sequence[Panel],
    skeleton: Sequence[Sequence[int]],
    title: str,
    note: str = '',
    panel_size: int = PANEL_SIZE,
    num_columns: int | None = None,
) -> np.ndarray:
    """Draw one episode as a row of pictures under a title.

    Pictures are scaled before anything is drawn on them, so lines stay sharp on small
    crops.

    Args:
        panels: the supports, the query with its truth, the query with the prediction.
        skeleton: 0-based keypoint index pairs.
        title: left of the header, e.g. the category.
        note: right of the header, e.g. the pair's PCK.
        panel_size: side of the square into which each picture is fitted, in pixels.
        num_columns: pictures beside each other before the next line; None: all.

    Returns:
        BGR image, uint8 (height, width, 3).
    """
    num_columns = min(num_columns or len(panels), len(panels))
    width = num_columns * (panel_size + GAP) + GAP
    header = _blank(TITLE_HEIGHT, width)
    note_width = _text_width(note, 0.5) + 2 * GAP if note else 0
    _put_text(header, title, GAP + 2, 0.56, TEXT, width - note_width - 4 * GAP)
    _put_text(header, note, width - note_width, 0.5, TEXT)
    lines = [
        _line(panels[start : start + num_columns], skeleton, panel_size, width)
        for start in range(0, len(panels), num_columns)
    ]
    return np.concatenate([header, *lines])


def _line(
    panels: Sequence[Panel],
    skeleton: Sequence[Sequence[int]],
    panel_size: int,
    width: int,
) -> np.ndarray:
    """Pictures beside each other with their captions below."""
    body = _blank(panel_size + CAPTION_HEIGHT, width)
    for index, panel in enumerate(panels):
        left = GAP + index * (panel_size + GAP)
        cell = body[:, left : left + panel_size]
        cell[:panel_size] = _fit(panel, skeleton, panel_size)
        caption = cell[panel_size:]
        _put_text(caption, panel.caption, 2, 0.45, MUTED_TEXT, panel_size - 4)
    return body


def contact_sheet(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Arrange rows of episodes on one sheet, reading from left to right.

    Args:
        rows: pictures from :func:`episode_row`, at least one; smaller ones are padded.
            Two stand side by side, if the sheet does not become wider than a screen.

    Returns:
        BGR image, uint8 (height, width, 3).
    """
    height, width, num_columns = _grid(rows)
    num_lines = -(-len(rows) // num_columns)
    sheet = _blank(num_lines * height + GAP, num_columns * width)
    for index, row in enumerate(rows):
        line, column = divmod(index, num_columns)
        top, left = line * height + GAP, column * width + GAP
        sheet[top : top + row.shape[0], left : left + row.shape[1]] = row
    return sheet


def contact_sheets(
    rows: Sequence[np.ndarray], max_height: int = MAX_SHEET_HEIGHT
) -> list[np.ndarray]:
    """Spread rows over as many sheets as keep each of them lower than a limit.

    Args:
        rows: see :func:`contact_sheet`, which makes every sheet; all in one grid.
        max_height: of a sheet in pixels; one line is always on it.

    Returns:
        The sheets in order.
    """
    height, _, num_columns = _grid(rows)
    size = num_columns * max(1, (max_height - GAP) // height)
    return [
        contact_sheet(rows[start : start + size]) for start in range(0, len(rows), size)
    ]


def write_png(path: Path, image: np.ndarray) -> Path:
    """Write a BGR picture, uint8 (H, W, 3), whole or not at all; returns the path.

    Raises:
        ConfigError: it can't be written, for instance because the disk is full.
    """
    content = cv2.imencode('.png', image)[1].tobytes()
    try:
        return write_bytes_atomically(path, content, durable=False)
    except OSError as error:
        raise ConfigError(f'out: {path} can not be written: {error}') from error


def _grid(rows: Sequence[np.ndarray]) -> tuple[int, int, int]:
    """Height and width of a cell, and the number of columns."""
    height = max(row.shape[0] for row in rows) + 2 * GAP
    width = max(row.shape[1] for row in rows) + 2 * GAP
    return height, width, min(2 if 2 * width <= MAX_SHEET_WIDTH else 1, len(rows))


def _fit(panel: Panel, skeleton: Sequence[Sequence[int]], side: int) -> np.ndarray:
    """Scale a picture into a square of ``side`` and draw its pose on it."""
    height, width = panel.image.shape[:2]
    scale = side / max(height, width)
    new_size = max(1, round(width * scale)), max(1, round(height * scale))
    shrinks = scale < 1
    image = cv2.resize(
        panel.image,
        new_size,
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
    )
    # cv2.resize maps pixel centres: x' + 0.5 = scale * (x + 0.5).
    keypoints = (np.asarray(panel.keypoints, dtype=np.float64) + 0.5) * scale - 0.5
    drawn = draw_pose(
        image,
        keypoints,
        panel.is_visible,
        skeleton,
        panel.scores,
        panel.is_hollow,
    )
    square = _blank(side, side)
    top, left = (side - new_size[1]) // 2, (side - new_size[0]) // 2
    square[top : top + new_size[1], left : left + new_size[0]] = drawn
    return square


def _blank(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), BACKGROUND, dtype=np.uint8)


def _text_width(text: str, scale: float) -> int:
    return cv2.getTextSize(text, FONT, scale, 1)[0][0]


def _put_text(
    canvas: np.ndarray,
    text: str,
    left: int,
    scale: float,
    color: tuple[int, int, int],
    max_width: int | None = None,
) -> None:
    """Write one line in place, vertically centred, shortened to ``max_width``."""
    # OpenCV's fonts know ASCII only: keep the letter of an accented one.
    text = unicodedata.normalize('NFKD', text).encode('ascii', 'ignore').decode()
    if max_width is not None and _text_width(text, scale) > max_width:
        while text and _text_width(text + '...', scale) > max_width:
            text = text[:-1]
        text += '...'
    text_height = cv2.getTextSize('Ag', FONT, scale, 1)[0][1]
    baseline = (canvas.shape[0] + text_height) // 2
    cv2.putText(canvas, text, (left, baseline), FONT, scale, color, 1, cv2.LINE_AA)
