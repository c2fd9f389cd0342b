"""Keypoints and skeletons drawn on images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from cape_mm.structures.skeleton import check_skeleton

Color = tuple[int, int, int]

OUTLINE: Color = (20, 20, 20)
WHITE: Color = (255, 255, 255)
CROWD = 30
"""With more keypoints than this, marks are smaller and lines thinner."""

SUBPIXEL_BITS = 4
"""Fraction bits of the coordinates handed to OpenCV: 1/16 pixel."""

FAR = 16_000
"""OpenCV's fixed-point coordinates overflow further outside the image, in pixels."""


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
    is_hollow: np.ndarray | None = None,
    is_virtual: np.ndarray | None = None,
) -> np.ndarray:
    """Draw keypoints and the edges between visible ones.

    Convention:
        - keypoints are (x, y) in pixels of ``image``; those outside are clipped away
        - sizes follow the longer side of the image and the number of keypoints
        - each half of an edge has the colour of its end
        - no edge leads to a hollow keypoint

    Args:
        image: BGR, uint8 (H, W, 3); not changed.
        keypoints: (K, 2).
        is_visible: keypoints to draw, bool (K,).
        skeleton: 0-based index pairs, E of them.
        scores: confidence in [0, 1]; a less certain keypoint is drawn smaller, (K,).
        is_hollow: invisible keypoints to draw as rings, bool (K,); None: none of them.
        is_virtual: keypoints that no one labelled, drawn as small squares without
            edges, bool (K,); None: none of them.

    Returns:
        A new image of the same shape.

    Raises:
        ValueError: the image is not uint8 (H, W, 3), shapes disagree, or an edge is out
            of range.
    """
    keypoints = np.asarray(keypoints, dtype=np.float64)
    is_visible = np.asarray(is_visible, dtype=bool)
    is_hollow = _optional_mask(is_hollow, len(keypoints))
    is_virtual = _optional_mask(is_virtual, len(keypoints))
    _check_input(image, keypoints, (is_visible, is_hollow, is_virtual), scores)
    check_skeleton(skeleton, len(keypoints))
    is_finite = np.isfinite(keypoints).all(axis=1)
    is_visible, is_hollow = is_visible & is_finite, is_hollow & is_finite & ~is_visible
    canvas = np.ascontiguousarray(image).copy()
    unit = max(canvas.shape[:2]) / 256
    if len(keypoints) > CROWD and unit > 1:
        unit **= 0.6  # a larger picture then tells more of them apart
    _draw_edges(canvas, keypoints, is_visible & ~is_virtual, skeleton, unit)
    radii = _radii(len(keypoints), scores, unit)
    _draw_rings(canvas, keypoints, is_hollow, radii)
    _draw_points(canvas, keypoints, is_visible & ~is_virtual, radii, unit)
    _draw_squares(canvas, keypoints, is_visible & is_virtual, radii, unit)
    return canvas


def _optional_mask(mask: np.ndarray | None, num_keypoints: int) -> np.ndarray:
    return np.zeros(num_keypoints, bool) if mask is None else np.asarray(mask, bool)


def _check_input(
    image: np.ndarray,
    keypoints: np.ndarray,
    masks: tuple[np.ndarray, np.ndarray, np.ndarray],
    scores: np.ndarray | None,
) -> None:
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f'expected a BGR image, uint8 (H, W, 3), got {image.dtype} {image.shape}'
        )
    num_keypoints = len(keypoints)
    shapes = (keypoints.shape, *(mask.shape for mask in masks))
    if shapes != ((num_keypoints, 2), *[(num_keypoints,)] * len(masks)):
        raise ValueError(
            f'expected keypoints (K, 2) and is_visible (K,), is_hollow (K,), '
            f'is_virtual (K,), got {shapes}'
        )
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
    thickness = max(1, round((1.9 if len(keypoints) <= CROWD else 1.0) * unit))
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


def _radii(num_keypoints: int, scores: np.ndarray | None, unit: float) -> np.ndarray:
    """Radius of every keypoint's mark in pixels, (K,)."""
    radius = (4.0 if num_keypoints <= CROWD else 2.2) * unit
    if scores is None:
        return np.full(num_keypoints, radius)
    return radius * (0.65 + 0.35 * np.clip(np.nan_to_num(scores), 0, 1))


def _draw_points(
    canvas: np.ndarray,
    keypoints: np.ndarray,
    is_visible: np.ndarray,
    radii: np.ndarray,
    unit: float,
) -> None:
    """Draw keypoints in place, each a disc with a dark rim."""
    colors = keypoint_colors(len(keypoints))
    rim = 0.9 * unit
    for k in np.flatnonzero(is_visible):
        _draw_mark(canvas, keypoints[k], radii[k] + rim, OUTLINE)
        _draw_mark(canvas, keypoints[k], radii[k], colors[k])


def _draw_rings(
    canvas: np.ndarray, keypoints: np.ndarray, is_hollow: np.ndarray, radii: np.ndarray
) -> None:
    """Draw keypoints in place, each a coloured ring with the image inside."""
    colors = keypoint_colors(len(keypoints))
    for k in np.flatnonzero(is_hollow):
        middle, half = 1.4 * radii[k], 0.2 * radii[k] + 0.3
        rim = 0.15 * radii[k] + 0.4
        for width, color in ((half + rim, OUTLINE), (half, colors[k])):
            _draw_mark(canvas, keypoints[k], middle + width, color, middle - width)


def _draw_mark(
    canvas: np.ndarray,
    center: np.ndarray,
    radius: float,
    color: Color,
    hole: float = 0.0,
    is_square: bool = False,
) -> None:
    """Blend a disc, ring or square in place by how much of each pixel it covers.

    OpenCV's own circle of two or three pixels is a diamond.
    """
    center = np.clip(center, -FAR, FAR)
    limits = np.array(canvas.shape[1::-1])
    left, top = np.clip(np.floor(center - radius).astype(int), 0, limits)
    right, bottom = np.clip(np.ceil(center + radius).astype(int) + 1, 0, limits)
    x, y = np.arange(left, right), np.arange(top, bottom)[:, None]
    measure = (lambda a, b: np.maximum(abs(a), abs(b))) if is_square else np.hypot
    distance = measure(x - center[0], y - center[1])
    cover = np.clip(radius + 0.5 - distance, 0, 1)
    if hole:
        cover *= np.clip(distance - hole + 0.5, 0, 1)
    patch = canvas[top:bottom, left:right]
    patch[:] = np.rint(patch + cover[..., None] * (np.array(color) - patch))


def _draw_squares(
    canvas: np.ndarray,
    keypoints: np.ndarray,
    is_visible: np.ndarray,
    radii: np.ndarray,
    unit: float,
) -> None:
    """Draw keypoints in place, each a small square with a white rim."""
    colors = keypoint_colors(len(keypoints))
    for k in np.flatnonzero(is_visible):
        half = 0.8 * radii[k]
        _draw_mark(canvas, keypoints[k], half + unit, WHITE, is_square=True)
        _draw_mark(canvas, keypoints[k], half, colors[k], is_square=True)


def _fixed(value: float) -> int:
    return round(float(np.clip(value, -FAR, FAR)) * (1 << SUBPIXEL_BITS))


def _to_fixed(point: np.ndarray) -> tuple[int, int]:
    return _fixed(point[0]), _fixed(point[1])
