"""Keypoints and skeletons drawn on images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from cape_mm.structures.skeleton import check_skeleton

Color = tuple[int, int, int]

OUTLINE: Color = (20, 20, 20)
SUBPIXEL_BITS = 4
"""Fraction bits of the coordinates handed to OpenCV: 1/16 pixel."""


@lru_cache(maxsize=128)
def keypoint_colors(num_keypoints: int) -> tuple[Color, ...]:
    """One BGR colour per keypoint, the same in every picture.

    Every colour is the one farthest, in CIELAB, from all before it, so the first few
    differ most and 68 are still apart. Keypoint ``k`` has the same colour whatever
    ``num_keypoints`` is.

    Args:
        num_keypoints: K.

    Returns:
        (blue, green, red) in 0..255, K of them.
    """
    bgr, lab = _candidate_colors()
    nearest = np.linalg.norm(lab - lab[-1], axis=1)
    chosen = [len(lab) - 1]
    while len(chosen) < num_keypoints:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[chosen[-1]], axis=1))
    return tuple(tuple(bgr[index].tolist()) for index in chosen[:num_keypoints])


def _candidate_colors() -> tuple[np.ndarray, np.ndarray]:
    """Vivid colours that stand out from a dark rim: BGR uint8 and CIELAB, (M, 3)."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    bgr = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    lab = cv2.cvtColor(bgr[None].astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0]
    is_vivid = (lab[:, 0] > 42) & (np.linalg.norm(lab[:, 1:], axis=1) > 45)
    return bgr[is_vivid], lab[is_vivid]


def draw_pose(
    image: np.ndarray,
    keypoints: np.ndarray,
    is_visible: np.ndarray,
    skeleton: Sequence[Sequence[int]],
    scores: np.ndarray | None = None,
) -> np.ndarray:
    """Draw keypoints and the edges between visible ones.

    Convention:
        - keypoints are (x, y) in pixels of ``image``; those outside are clipped away
        - sizes follow the longer side of the image
        - each half of an edge has the colour of its end

    Args:
        image: BGR, uint8 (H, W, 3); not changed.
        keypoints: (K, 2).
        is_visible: keypoints to draw, bool (K,).
        skeleton: 0-based index pairs, E of them.
        scores: confidence in [0, 1]; a less certain keypoint is drawn smaller, (K,).

    Returns:
        A new image of the same shape.

    Raises:
        ValueError: the image is not uint8 (H, W, 3), shapes disagree, or an edge is out
            of range.
    """
    keypoints = np.asarray(keypoints, dtype=np.float64)
    is_visible = np.asarray(is_visible, dtype=bool)
    _check_input(image, keypoints, is_visible, scores)
    check_skeleton(skeleton, len(keypoints))
    is_visible = is_visible & np.isfinite(keypoints).all(axis=1)
    canvas = np.ascontiguousarray(image).copy()
    unit = max(canvas.shape[:2]) / 256
    _draw_edges(canvas, keypoints, is_visible, skeleton, unit)
    _draw_points(canvas, keypoints, is_visible, scores, unit)
    return canvas


def _check_input(
    image: np.ndarray,
    keypoints: np.ndarray,
    is_visible: np.ndarray,
    scores: np.ndarray | None,
) -> None:
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f'expected a BGR image, uint8 (H, W, 3), got {image.dtype} {image.shape}'
        )
    num_keypoints = len(keypoints)
    shapes = (keypoints.shape, is_visible.shape)
    if shapes != ((num_keypoints, 2), (num_keypoints,)):
        raise ValueError(f'expected keypoints (K, 2) and is_visible (K,), got {shapes}')
    if scores is not None and np.shape(scores) != (num_keypoints,):
        raise ValueError(
            f'expected scores ({num_keypoints},), got {tuple(np.shape(scores))}'
        )


def _draw_edges(
    canvas: np.ndarray,
    keypoints: np.ndarray,
    is_visible: np.ndarray,
    skeleton: Sequence[Sequence[int]],
    unit: float,
) -> None:
    """Draw all edges in place: first the dark outlines, then the coloured halves."""
    colors = keypoint_colors(len(keypoints))
    thickness = max(1, round((1.9 if len(keypoints) <= 30 else 1.2) * unit))
    outline = thickness + max(2, round(2 * unit))
    edges = [(a, b) for a, b in skeleton if is_visible[a] and is_visible[b]]
    for a, b in edges:
        _draw_line(canvas, keypoints[a], keypoints[b], OUTLINE, outline)
    for a, b in edges:
        middle = (keypoints[a] + keypoints[b]) / 2
        _draw_line(canvas, keypoints[a], middle, colors[a], thickness)
        _draw_line(canvas, keypoints[b], middle, colors[b], thickness)


def _draw_line(
    canvas: np.ndarray, start: np.ndarray, end: np.ndarray, color: Color, width: int
) -> None:
    ends = (_to_fixed(start), _to_fixed(end))
    cv2.line(canvas, *ends, color, width, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_points(
    canvas: np.ndarray,
    keypoints: np.ndarray,
    is_visible: np.ndarray,
    scores: np.ndarray | None,
    unit: float,
) -> None:
    """Draw all keypoints in place, each a disc with a dark rim."""
    colors = keypoint_colors(len(keypoints))
    radius = (4.0 if len(keypoints) <= 30 else 2.8) * unit
    sizes = np.ones(len(keypoints))
    if scores is not None:
        sizes = 0.65 + 0.35 * np.clip(np.nan_to_num(scores), 0, 1)
    for k in np.flatnonzero(is_visible):
        center = _to_fixed(keypoints[k])
        for extra, color in ((0.9 * unit, OUTLINE), (0.0, colors[k])):
            size = _fixed(radius * sizes[k] + extra)
            cv2.circle(canvas, center, size, color, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _fixed(value: float) -> int:
    # OpenCV's fixed-point coordinates overflow far outside the image.
    return round(float(np.clip(value, -16_000, 16_000)) * (1 << SUBPIXEL_BITS))


def _to_fixed(point: np.ndarray) -> tuple[int, int]:
    return _fixed(point[0]), _fixed(point[1])
