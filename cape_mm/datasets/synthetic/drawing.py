"""Drawing of parts, knobs and plain shapes, with a map of what each pixel shows.

Convention:
    - a :class:`Canvas` is ``SUPERSAMPLING`` times as large as the image; callers give
      image pixels (x, y), pixel centres at whole numbers
    - ``owner`` holds for every canvas pixel the number of the last thing drawn there,
      0 for background
"""

from __future__ import annotations

import cv2
import numpy as np

from .appearance import Knob, Look, Part

SUPERSAMPLING = 2
NUM_SHADES = 8
_SHIFT = 3
_CAP = np.linspace(-np.pi / 2, np.pi / 2, 7)
_ELLIPSE = np.linspace(0, 2 * np.pi, 20, endpoint=False)


class Canvas:
    """A supersampled picture and its owner map.

    Args:
        background: uint8 BGR picture, (H * SUPERSAMPLING, W * SUPERSAMPLING, 3); it is
            copied.
    """

    def __init__(self, background: np.ndarray) -> None:
        self.picture = background.copy()
        self.owner = np.zeros(background.shape[:2], np.uint8)

    def fill_polygon(
        self, points: np.ndarray, colour: tuple[int, int, int], owner: int
    ) -> None:
        """Fill a convex polygon of image points (M, 2) with one colour."""
        vertices = _to_fixed_point(to_canvas(points))
        cv2.fillConvexPoly(self.picture, vertices, colour, cv2.LINE_8, _SHIFT)
        cv2.fillConvexPoly(self.owner, vertices, owner, cv2.LINE_8, _SHIFT)

    def draw_part(
        self,
        part: Part,
        start: np.ndarray,
        end: np.ndarray,
        scale: float,
        owner: int,
        shading: float = 0.0,
        has_outline: bool = False,
    ) -> None:
        """Draw a part along the bone from ``start`` to ``end``, image points (2,).

        Args:
            part: shape and look.
            start: the parent joint.
            end: the joint.
            scale: image pixels per object size.
            owner: number written to the owner map.
            shading: darkening towards the long edges, in [0, 1].
            has_outline: whether to trace the border in a dark colour.
        """
        start, end = to_canvas(start), to_canvas(end)
        length = max(float(np.linalg.norm(end - start)), 1e-3)
        axis = (end - start) / length
        frame = np.stack([axis, [-axis[1], axis[0]]])  # rows: along, across
        scale = scale * SUPERSAMPLING
        outline = part_outline(part, length, scale)
        vertices = _to_fixed_point(start + outline @ frame)
        box = self._clip(cv2.boundingRect((vertices >> _SHIFT).astype(np.int32)))
        if box is None:
            return
        rows, columns = box
        mask = np.zeros(
            (rows.stop - rows.start, columns.stop - columns.start), np.uint8
        )
        offset = np.array([columns.start, rows.start]) << _SHIFT
        cv2.fillConvexPoly(mask, vertices - offset, 1, cv2.LINE_8, _SHIFT)
        local = frame @ (np.array([columns.start, rows.start]) - start)
        width = max(part.half_width_start, part.half_width_end) * scale
        surface = paint_surface(
            part.look,
            mask.shape,
            local,
            frame,
            width,
            part.look.period * scale,
            shading,
        )
        cv2.copyTo(surface, mask, self.picture[rows, columns])
        np.copyto(self.owner[rows, columns], owner, where=mask.view(bool))
        if has_outline:
            dark = tuple(int(c * 0.35) for c in part.look.colour)
            cv2.polylines(self.picture, [vertices], True, dark, 1, cv2.LINE_AA, _SHIFT)

    def draw_knob(
        self, knob: Knob, centre: np.ndarray, scale: float, owner: int
    ) -> None:
        """Draw a knob around the image point ``centre``, (2,)."""
        radius = max(knob.radius * scale, 1.3)
        if knob.shape == 'square':
            corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * radius
            self.fill_polygon(centre + corners, knob.rim, owner)
            self.fill_polygon(centre + 0.7 * corners, knob.colour, owner)
            return
        circle = np.stack([np.cos(_ELLIPSE), np.sin(_ELLIPSE)], axis=1) * radius
        if knob.shape == 'ring':
            self.fill_polygon(centre + 1.15 * circle, knob.rim, owner)
            circle = 0.75 * circle
        self.fill_polygon(centre + circle, knob.colour, owner)

    def to_image(self) -> np.ndarray:
        """The picture at image resolution, uint8 (H, W, 3)."""
        height, width = (side // SUPERSAMPLING for side in self.owner.shape)
        return cv2.resize(self.picture, (width, height), interpolation=cv2.INTER_AREA)

    def _clip(self, rect: tuple[int, int, int, int]) -> tuple[slice, slice] | None:
        """Row and column slices of (x, y, w, h) within the canvas, None if outside."""
        x, y, w, h = rect
        height, width = self.owner.shape
        left, top = max(x - 1, 0), max(y - 1, 0)
        right, bottom = min(x + w + 2, width), min(y + h + 2, height)
        if left >= right or top >= bottom:
            return None
        return slice(top, bottom), slice(left, right)


def to_canvas(points: np.ndarray) -> np.ndarray:
    """Image pixels to canvas pixels, both with centres at whole numbers."""
    return np.asarray(points) * SUPERSAMPLING + (SUPERSAMPLING - 1) / 2


def part_outline(part: Part, length: float, scale: float) -> np.ndarray:
    """Convex outline in the bone's frame, (along, across) in canvas pixels, (M, 2)."""
    start = max(part.half_width_start * scale, 1.5)
    end = max(part.half_width_end * scale, 1.0)
    if part.shape == 'ellipse':
        along = length / 2 * (1 + 1.1 * np.cos(_ELLIPSE))
        return np.stack([along, 1.2 * start * np.sin(_ELLIPSE)], axis=1)
    if part.shape == 'blade':
        return np.array(
            [[0, -start / 2], [0.4 * length, -1.25 * start], [length, -0.5]]
            + [[length, 0.5], [0.4 * length, 1.25 * start], [0, start / 2]]
        )
    if part.shape == 'taper':
        return np.array([[0, -start], [length, -end], [length, end], [0, start]])
    cap = np.stack([np.cos(_CAP), np.sin(_CAP)], axis=1)
    return np.concatenate([[length, 0] + cap * end, [0, 0] - cap * start])


def paint_surface(
    look: Look,
    shape: tuple[int, int],
    origin: np.ndarray,
    frame: np.ndarray,
    half_width: float,
    period: float,
    shading: float,
) -> np.ndarray:
    """Colours of a textured, shaded part on a canvas rectangle.

    Args:
        look: texture and its colours.
        shape: (height, width) of the rectangle.
        origin: (along, across) of the rectangle's first pixel, (2,).
        frame: rows are the unit vectors along and across the bone, (2, 2).
        half_width: distance across at which the shading is full, canvas pixels.
        period: one repeat of the texture, canvas pixels.
        shading: darkening at the edge, in [0, 1].

    Returns:
        uint8 BGR, (height, width, 3).
    """
    frame, origin = frame.astype(np.float32), origin.astype(np.float32)
    ys = np.arange(shape[0], dtype=np.float32)[:, None]
    xs = np.arange(shape[1], dtype=np.float32)[None]
    across = origin[1] + frame[1, 0] * xs + frame[1, 1] * ys
    ratio = np.minimum(np.abs(across) / np.float32(half_width), np.float32(1))
    shade = (ratio * ratio * (NUM_SHADES - 1)).astype(np.uint8)
    if look.texture != 'plain':
        along = origin[0] + frame[0, 0] * xs + frame[0, 1] * ys
        is_accent = texture_mask(look.texture, along, across, max(period, 4.0))
        shade += np.uint8(NUM_SHADES) * is_accent
    levels = 1 - shading * np.arange(NUM_SHADES) / (NUM_SHADES - 1)
    table = np.concatenate(
        [np.outer(levels, look.colour), np.outer(levels, look.accent)]
    ).astype(np.uint8)
    return table[shade]


def texture_mask(
    texture: str, along: np.ndarray, across: np.ndarray, period: float
) -> np.ndarray:
    """Where the accent colour shows, bool of the inputs' shape."""
    u, v = along / np.float32(period), across / np.float32(period)
    if texture == 'rings':
        return u - np.floor(u) < 0.45
    if texture == 'stripes':
        return v + 0.25 - np.floor(v + 0.25) < 0.5
    if texture == 'checker':
        return (np.floor(u * 2) + np.floor(v * 2)) % 2 == 0
    assert texture == 'dots', f'unknown texture {texture!r}'
    u, v = u - np.floor(u) - 0.5, v - np.floor(v) - 0.5
    return u * u + v * v < 0.08


def _to_fixed_point(points: np.ndarray) -> np.ndarray:
    """Canvas points as OpenCV's int32 fixed-point numbers."""
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)
