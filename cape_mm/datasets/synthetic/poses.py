"""Pose and camera of one instance: where its keypoints lie in the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .categories import ObjectCategory, forward_kinematics

MAX_ROTATION = np.deg2rad(75)
MAX_PERSPECTIVE = 0.25
MIN_STRETCH = 0.75
TRUNCATED_RATE = 0.1
NUM_PLACEMENTS = 12


@dataclass(frozen=True)
class Pose:
    """Keypoints of an instance in the image, and the scale to draw it at.

    Attributes:
        keypoints: (x, y) in image pixels, pixel centres at whole numbers, (K, 2).
        scale: image pixels per object size; part widths are multiplied by it.
    """

    keypoints: np.ndarray
    scale: float


@dataclass(frozen=True)
class Region:
    """Rectangle of the image that an instance is placed in, (x, y) of a corner."""

    x: float
    y: float
    width: float
    height: float


def sample_pose(
    category: ObjectCategory, region: Region, rng: np.random.Generator
) -> Pose:
    """Random joint angles, in-plane rotation, perspective, scale and place."""
    points = _articulate(category, rng)
    points = _view(points - points.mean(axis=0), rng)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    target = rng.uniform(0.6, 0.92) * min(region.width, region.height)
    factor = target / extent
    points = (points - (low + high) / 2) * factor
    return Pose(points + _place(points, region, rng), factor)


def is_inside(points: np.ndarray, width: float, height: float) -> np.ndarray:
    """Whether (x, y) lies on the pixel grid, bool (K,)."""
    limit = np.array([width - 1, height - 1])
    return ((points >= 0) & (points <= limit)).all(axis=-1)


def _articulate(category: ObjectCategory, rng: np.random.Generator) -> np.ndarray:
    """Keypoints of a random posture in units of the object's size, (K, 2)."""
    joints = category.joints
    swing = np.array([j.swing for j in joints])
    angles = np.array([j.angle for j in joints]) + rng.uniform(-swing, swing)
    lengths = np.array([j.length for j in joints]) * rng.uniform(0.85, 1.1, len(joints))
    points = forward_kinematics(joints, angles, lengths) / category.size
    if category.eye is None:
        return points
    eye = category.eye
    start, end = points[joints[eye.host].parent], points[eye.host]
    bone = end - start
    normal = np.array([-bone[1], bone[0]]) / np.linalg.norm(bone)
    return np.vstack([points, start + eye.along * bone + eye.across * normal])


def _view(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In-plane rotation, foreshortening along a random axis, mild perspective."""
    tilt = rng.uniform(0, np.pi)
    turn = rng.uniform(-MAX_ROTATION, MAX_ROTATION)
    stretch = np.diag([rng.uniform(MIN_STRETCH, 1), 1.0])
    points = points @ (_rotation(turn - tilt) @ stretch @ _rotation(tilt)).T
    vanishing = rng.uniform(-MAX_PERSPECTIVE, MAX_PERSPECTIVE, 2)
    return points / (1 + points @ vanishing)[:, None]


def _rotation(angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _place(points: np.ndarray, region: Region, rng: np.random.Generator) -> np.ndarray:
    """Shift that puts centred ``points`` into the region, (2,).

    Most instances lie wholly inside; a few are cut by the border, but never so far
    that more than 40 % of the keypoints are lost.
    """
    corner = np.array([region.x, region.y])
    size = np.array([region.width, region.height])
    half = np.ptp(points, axis=0) / 2 + 0.03 * size.min()
    room = np.maximum(size / 2 - half, 0)
    if rng.random() < TRUNCATED_RATE:
        for _ in range(NUM_PLACEMENTS):
            shift = size / 2 + rng.uniform(-1, 1, 2) * (room + 0.3 * half)
            if is_inside(points + shift, *size).mean() >= 0.6:
                return corner + shift
    return corner + size / 2 + rng.uniform(-1, 1, 2) * room
