"""Keypoints and skeletons drawn on images, each keypoint in a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

CROWD = 30
"""With more keypoints than this, marks are smaller and lines thinner."""
MIN_OPACITY = 0.3
"""Of a keypoint with no confidence at all: it can still be found."""
OUTLINE = (20, 20, 20)
SUBPIXEL_BITS = 4
"""Fraction bits of the coordinates handed to OpenCV: 1/16 pixel."""
FAR = 16_000
"""OpenCV's fixed-point coordinates overflow further outside the image, in pixels."""

Color = tuple[int, ...]
"""(blue, green, red), or (blue, green, red, opacity), in 0..255."""


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
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    bgr = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    lab = cv2.cvtColor(bgr[None].astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0]
    # vivid colours that stand out from a dark rim
    is_vivid = (lab[:, 0] > 42) & (np.linalg.norm(lab[:, 1:], axis=1) > 45)
    bgr, lab = bgr[is_vivid], lab[is_vivid]
    nearest = np.linalg.norm(lab - lab[-1], axis=1)
    chosen = [len(lab) - 1]
    while len(chosen) < num_keypoints:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[chosen[-1]], axis=1))
    return tuple(tuple(bgr[index].tolist()) for index in chosen[:num_keypoints])


def draw_pose(
    image: np.ndarray,
    keypoints: np.ndarray,
    is_visible: np.ndarray,
    skeleton: Sequence[Sequence[int]],
    scores: np.ndarray | None = None,
    is_hollow: np.ndarray | None = None,
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
        scores: confidence in [0, 1], NaN counting as 0, drawn as opacity, (K,); None:
            all opaque.
        is_hollow: invisible keypoints to draw as rings, bool (K,); None: none of them.

    Returns:
        A new image of the same shape.
    """
    keypoints = np.asarray(keypoints, dtype=np.float64)
    number = len(keypoints)
    is_visible = np.asarray(is_visible, dtype=bool)
    is_hollow = np.zeros(number, bool) if is_hollow is None else np.asarray(is_hollow)
    scores = np.ones(number) if scores is None else np.nan_to_num(scores)
    is_finite = np.isfinite(keypoints).all(axis=1)
    is_visible, is_hollow = is_visible & is_finite, is_hollow & is_finite & ~is_visible
    unit = max(image.shape[:2]) / 256
    if number > CROWD and unit > 1:
        unit **= 0.6  # a larger picture then tells more of them apart
    radius = (4.0 if number <= CROWD else 2.2) * unit
    opacity = MIN_OPACITY + (1 - MIN_OPACITY) * np.clip(scores, 0, 1)
    alphas = np.rint(255 * opacity).astype(int).tolist()
    colors = [(*c, a) for c, a in zip(keypoint_colors(number), alphas)]
    outlines = [(*OUTLINE, alpha) for alpha in alphas]
    # the fourth channel collects the opacity of what is drawn
    canvas = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2BGRA)
    canvas[..., 3] = 0
    _draw_edges(canvas, keypoints, is_visible, skeleton, unit, (outlines, colors))
    # outer and inner radius of each layer, from below
    ring, half = 1.4 * radius, 0.2 * radius + 0.3
    rim = half + 0.15 * radius + 0.4
    rings = (outlines, ring + rim, ring - rim), (colors, ring + half, ring - half)
    discs = (outlines, radius + 0.9 * unit, 0.0), (colors, radius, 0.0)
    order = np.argsort(opacity, kind='stable')  # the most opaque last
    for mask, layers in ((is_hollow, rings), (is_visible, discs)):
        for k in order[mask[order]]:
            for layer, outer, inner in layers:
                _draw_mark(canvas, keypoints[k], outer, inner, layer[k])
    return _blend(image, canvas)


def _draw_edges(
    canvas: np.ndarray,
    keypoints: np.ndarray,
    is_visible: np.ndarray,
    skeleton: Sequence[Sequence[int]],
    unit: float,
    paints: tuple[list[Color], list[Color]],
) -> None:
    """Draw all edges in place: first the dark outlines, then the coloured halves."""
    thickness = max(1, round((1.9 if len(keypoints) <= CROWD else 1.0) * unit))
    widths = thickness + max(2, round(2 * unit)), thickness
    halves = [
        (k, keypoints[k], (keypoints[a] + keypoints[b]) / 2)
        for a, b in skeleton
        for k in (a, b)
        if is_visible[a] and is_visible[b]
    ]
    halves.sort(key=lambda half: paints[0][half[0]][3])
    for width, colors in zip(widths, paints):
        for k, end, middle in halves:
            ends = _to_fixed(end), _to_fixed(middle)
            cv2.line(canvas, *ends, colors[k], width, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_mark(
    canvas: np.ndarray, center: np.ndarray, outer: float, inner: float, color: Color
) -> None:
    """Blend a disc or ring in place by how much of each pixel it covers.

    OpenCV's own circle of two or three pixels is a diamond.
    """
    center = np.clip(center, -FAR, FAR)
    limits = np.array(canvas.shape[1::-1])
    left, top = np.clip(np.floor(center - outer).astype(int), 0, limits)
    right, bottom = np.clip(np.ceil(center + outer).astype(int) + 1, 0, limits)
    x, y = np.arange(left, right), np.arange(top, bottom)[:, None]
    distance = np.hypot(x - center[0], y - center[1])
    cover = np.clip(outer + 0.5 - distance, 0, 1)
    if inner:
        cover *= np.clip(distance - inner + 0.5, 0, 1)
    patch = canvas[top:bottom, left:right]
    patch[:] = np.rint(patch + cover[..., None] * (np.array(color) - patch))


def _to_fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(np.clip(point, -FAR, FAR) * (1 << SUBPIXEL_BITS)).astype(int)
    return int(x), int(y)


def _blend(image: np.ndarray, canvas: np.ndarray) -> np.ndarray:
    """Lay a canvas, uint8 (H, W, 4), over the picture that it was made of."""
    drawn = np.ascontiguousarray(image).copy()
    left, top, width, height = cv2.boundingRect(cv2.extractChannel(canvas, 3))
    if width:
        box = np.s_[top : top + height, left : left + width]
        share = canvas[box][..., 3] / np.float32(255)
        color = cv2.cvtColor(canvas[box], cv2.COLOR_BGRA2BGR)
        drawn[box] = cv2.blendLinear(color, drawn[box], share, 1 - share)
    return drawn
