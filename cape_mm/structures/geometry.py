"""Boxes and affine maps of the plane: the one place for each of them."""

from __future__ import annotations

import numpy as np

BOX_PADDING = 1.25
"""Official crop: the square on the longer side of the box, times this."""


def clean_box(
    bbox: np.ndarray, image_size: tuple[int, int], area: float | None = None
) -> np.ndarray | None:
    """Clip a COCO box to its image as the official MP-100 protocol does.

    Convention:
        - x1 = max(0, x), x2 = min(W - 1, x1 + max(0, w - 1)); the same for y
        - kept if x2 > x1, y2 > y1 and ``area``, where given, is positive

    Args:
        bbox: (x, y, w, h) in pixels, (4,).
        image_size: (w, h) of the image.
        area: the annotation's area, if it has one.

    Returns:
        The clean box (x1, y1, x2 - x1, y2 - y1) as float64 (4,), or None where the box
        is degenerate.
    """
    x, y, w, h = (float(value) for value in bbox)
    image_w, image_h = image_size
    x1, y1 = max(0.0, x), max(0.0, y)
    x2 = min(image_w - 1.0, x1 + max(0.0, w - 1.0))
    y2 = min(image_h - 1.0, y1 + max(0.0, h - 1.0))
    if not (x2 > x1 and y2 > y1) or (area is not None and not area > 0):
        return None
    return np.array([x1, y1, x2 - x1, y2 - y1])


def box_to_square(
    bbox: np.ndarray, padding: float = BOX_PADDING
) -> tuple[np.ndarray, float]:
    """Centre and side of the padded square on a box's longer side.

    Args:
        bbox: (x, y, w, h), (4,).
        padding: factor on the longer side.

    Returns:
        The centre (x, y) as float64 (2,) and the side length.
    """
    x, y, w, h = (float(value) for value in bbox)
    return np.array([x + w / 2, y + h / 2]), max(w, h) * padding


def crop_matrix(
    center: np.ndarray,
    side: float,
    input_size: tuple[int, int],
    rotation: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Affine map from the source image to the network input.

    Convention:
        - pixel (0, 0) names the centre of the top-left pixel; the square's span
          ``side`` is mapped to the input's width, as MMPose's top-down crop does
        - a positive rotation turns the image's content clockwise on screen

    Args:
        center: centre (x, y) of the square in the source image.
        side: side of the square in source pixels, > 0.
        input_size: (w, h) of the network input.
        rotation: degrees.
        shift: moves the square's centre, as fractions of ``side``.

    Returns:
        Affine matrix, float64 (2, 3).
    """
    input_w, input_h = input_size
    scale = input_w / side
    angle = np.deg2rad(rotation)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    moved = np.asarray(center, dtype=np.float64) + np.asarray(shift) * side
    offset = np.array([input_w / 2, input_h / 2]) - linear @ moved
    return np.concatenate([linear, offset[:, None]], axis=1)


def invert_affine(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a 2x3 affine map, float64 (2, 3)."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.concatenate([inverse, -inverse @ matrix[:, 2:]], axis=1)


def squeeze_affine(
    matrix: np.ndarray, input_size: tuple[int, int], angle: float, factor: float
) -> np.ndarray:
    """The map followed by a squeeze along a direction, around the input's centre.

    Args:
        matrix: affine map to the network input, (2, 3).
        input_size: (w, h) of it.
        angle: of the direction, in radians.
        factor: on lengths in that direction.
    """
    along = np.array([np.cos(angle), np.sin(angle)])
    linear = np.eye(2) + (factor - 1) * np.outer(along, along)
    centre = (np.asarray(input_size, dtype=np.float64) - 1) / 2
    squeezed = linear @ matrix
    squeezed[:, 2] += centre - linear @ centre
    return squeezed


def mirror_affine(matrix: np.ndarray, width: int) -> np.ndarray:
    """Follow a 2x3 affine map by a left-right mirror of its target image.

    Column x lands on ``width - 1 - x``, so pixel centres map to pixel centres.
    """
    mirrored = matrix.copy()
    mirrored[0] *= -1
    mirrored[0, 2] += width - 1
    return mirrored


def apply_affine(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply 2x3 affine maps to points.

    Args:
        matrix: (2, 3), or (N, 2, 3) for one map per leading index of ``points``.
        points: (x, y) points, (..., 2), or (N, K, 2).

    Returns:
        The mapped points, same shape as ``points``.
    """
    linear = np.swapaxes(matrix[..., :2], -1, -2)
    offset = matrix[..., :, 2]
    if matrix.ndim == 3:
        offset = offset[:, None, :]
    return points @ linear + offset


def pixels_to_unit(points, input_size: tuple[int, int]):
    """Pixels of the network input to [0, 1] of the crop.

    Pixel 0 is the *centre* of the first pixel, 0.0 the crop's edge: hence the half.

    Args:
        points: (x, y), array or tensor (..., 2).
        input_size: (w, h).
    """
    return (points + 0.5) / _like(points, input_size)


def unit_to_pixels(points, input_size: tuple[int, int]):
    """Inverse of :func:`pixels_to_unit`."""
    return points * _like(points, input_size) - 0.5


def _like(points, input_size: tuple[int, int]):
    if isinstance(points, np.ndarray):
        return np.asarray(input_size, dtype=points.dtype)
    return points.new_tensor(input_size)
