"""What surrounds the object: background, occluders, light and sensor."""

from __future__ import annotations

import cv2
import numpy as np

from .appearance import Colour, random_colours

MAX_OCCLUDERS = 2
OCCLUDED_RATE = 0.4


def sample_background(
    rng: np.random.Generator, width: int, height: int, palette: tuple[Colour, ...]
) -> np.ndarray:
    """A gradient or a noise texture with clutter shapes on it.

    Args:
        rng: the instance's generator.
        width: width in pixels.
        height: height in pixels.
        palette: the object's colours; part of the clutter wears them.

    Returns:
        uint8 BGR, (height, width, 3).
    """
    if rng.random() < 0.5:
        picture = _gradient(rng, width, height)
    else:
        picture = _noise(rng, width, height)
    for _ in range(int(rng.integers(0, 9))):
        own = rng.random() < 0.4
        colour = palette[int(rng.integers(len(palette)))] if own else _muted(rng)
        size = rng.uniform(0.03, 0.16) * height
        centre = rng.uniform(0, 1, 2) * (width, height)
        corners = np.rint(random_polygon(rng, centre, size) * 8).astype(np.int32)
        cv2.fillConvexPoly(picture, corners, colour, cv2.LINE_AA, 3)
    return picture


def random_polygon(
    rng: np.random.Generator, centre: np.ndarray, size: float
) -> np.ndarray:
    """A convex polygon inscribed in a random ellipse of radius <= ``size``, (M, 2)."""
    num_corners = int(rng.integers(3, 9))
    steps = np.arange(num_corners) + rng.uniform(-0.3, 0.3, num_corners)
    angles = 2 * np.pi * steps / num_corners
    axes = size * np.array([1.0, rng.uniform(0.3, 1.0)])
    turn = rng.uniform(0, np.pi)
    x, y = axes[0] * np.cos(angles), axes[1] * np.sin(angles)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=1) + centre


def sample_occluders(
    rng: np.random.Generator, keypoints: np.ndarray, extent: float
) -> list[tuple[np.ndarray, Colour]]:
    """Polygons, mostly none, near random keypoints.

    Args:
        rng: the instance's generator.
        keypoints: (x, y) in image pixels, (K, 2).
        extent: longer side of the object in pixels.

    Returns:
        ``(corners (M, 2), colour)`` per occluder.
    """
    if rng.random() > OCCLUDED_RATE:
        return []
    occluders = []
    for _ in range(int(rng.integers(1, MAX_OCCLUDERS + 1))):
        near = keypoints[int(rng.integers(len(keypoints)))]
        centre = near + rng.normal(0, 0.05 * extent, 2)
        corners = random_polygon(rng, centre, rng.uniform(0.07, 0.16) * extent)
        occluders.append((corners, _muted(rng)))
    return occluders


def light(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gain per channel, gamma, a gradient over the image, blur and sensor noise.

    Args:
        picture: uint8 BGR, (H, W, 3).
        rng: the instance's generator.

    Returns:
        uint8 BGR, (H, W, 3).
    """
    height, width = picture.shape[:2]
    gain = rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3)
    values = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.8, 1.25)
    table = np.clip(values * gain * 255, 0, 255).astype(np.float32)
    lit = np.stack([table[picture[..., c], c] for c in range(3)], axis=-1)
    direction = rng.uniform(-0.15, 0.15, 2)
    xs = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(direction[0])
    ys = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(direction[1])
    lit *= (1 + xs[None] + ys[:, None])[..., None]
    if rng.random() < 0.3:
        lit = cv2.GaussianBlur(lit, (3, 3), rng.uniform(0.3, 0.8))
    noise = rng.standard_normal(lit.shape, dtype=np.float32)
    lit += noise * np.float32(rng.uniform(0, 5))
    return np.clip(lit, 0, 255).astype(np.uint8)


def _muted(rng: np.random.Generator) -> Colour:
    colour = random_colours(rng, 1, saturation=(0.0, 0.5))[0]
    return tuple(int(c) for c in colour)


def _gradient(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    corners = random_colours(rng, 4, saturation=(0.0, 0.5)).reshape(2, 2, 3)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)


def _noise(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Two octaves of value noise around a muted colour."""
    base = np.array(_muted(rng), np.float32)
    picture = np.full((height, width, 3), base, np.float32)
    for cells in (int(rng.integers(3, 8)), int(rng.integers(12, 40))):
        grid = rng.uniform(-1, 1, (cells, cells, 1)) * rng.uniform(5, 40, 3)
        octave = cv2.resize(grid.astype(np.float32), (width, height))
        picture += octave
    return np.clip(picture, 0, 255).astype(np.uint8)
