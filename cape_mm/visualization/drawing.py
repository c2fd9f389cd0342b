"""Keypoints and skeletons drawn on images."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cape_mm.structures.skeleton import check_skeleton

from .paints import Color, Paints, blend, keypoint_paints

CROWD = 30
"""With more keypoints than this, marks are smaller and lines thinner."""

SUBPIXEL_BITS = 4
"""Fraction bits of the coordinates handed to OpenCV: 1/16 pixel."""

FAR = 16_000
"""OpenCV's fixed-point coordinates overflow further outside the image, in pixels."""


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
        - the less certain a keypoint, the more transparent are its mark and its halves
          of edges; the more certain lie above
        - no edge leads to a hollow keypoint

    Args:
        image: BGR, uint8 (H, W, 3); not changed.
        keypoints: (K, 2).
        is_visible: keypoints to draw, bool (K,).
        skeleton: 0-based index pairs, E of them.
        scores: confidence in [0, 1], drawn as opacity, (K,); None: all opaque.
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
    unit = max(image.shape[:2]) / 256
    if len(keypoints) > CROWD and unit > 1:
        unit **= 0.6  # a larger picture then tells more of them apart
    radius = (4.0 if len(keypoints) <= CROWD else 2.2) * unit
    paints = keypoint_paints(len(keypoints), scores)
    canvas = paints.canvas(image)
    is_point = is_visible & ~is_virtual
    _draw_edges(canvas, keypoints, is_point, skeleton, unit, paints)
    # outer and inner radius of each layer, from below
    ring, half = 1.4 * radius, 0.2 * radius + 0.3
    rim = half + 0.15 * radius + 0.4
    rings = (
        (paints.outlines, ring + rim, ring - rim),
        (paints.colors, ring + half, ring - half),
    )
    _draw_marks(canvas, keypoints, paints.in_order(is_hollow), rings)
    discs = (paints.outlines, radius + 0.9 * unit, 0.0), (paints.colors, radius, 0.0)
    _draw_marks(canvas, keypoints, paints.in_order(is_point), discs)
    side = 0.8 * radius
    squares = (paints.whites, side + unit, 0.0), (paints.colors, side, 0.0)
    is_square = is_visible & is_virtual
    _draw_marks(canvas, keypoints, paints.in_order(is_square), squares, is_square=True)
    return blend(image, canvas)


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
    paints: Paints,
) -> None:
    """Draw all edges in place: first the dark outlines, then the coloured halves."""
    thickness = max(1, round((1.9 if len(keypoints) <= CROWD else 1.0) * unit))
    outline = thickness + max(2, round(2 * unit))
    halves = [
        (k, keypoints[k], (keypoints[a] + keypoints[b]) / 2)
        for a, b in skeleton
        for k in (a, b)
        if is_visible[a] and is_visible[b]
    ]
    halves.sort(key=lambda half: paints.opacity[half[0]])
    for width, colors in ((outline, paints.outlines), (thickness, paints.colors)):
        for k, end, middle in halves:
            ends = _to_fixed(end), _to_fixed(middle)
            cv2.line(canvas, *ends, colors[k], width, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_marks(
    canvas: np.ndarray,
    keypoints: np.ndarray,
    order: np.ndarray,
    layers: Sequence[tuple[Sequence[Color], float, float]],
    is_square: bool = False,
) -> None:
    """Draw keypoints in place, each with its layers: colours, outer, inner radius."""
    for k in order:
        for colors, radius, hole in layers:
            _draw_mark(canvas, keypoints[k], radius, colors[k], hole, is_square)


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


def _to_fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(np.clip(point, -FAR, FAR) * (1 << SUBPIXEL_BITS)).astype(int)
    return int(x), int(y)
