"""A picture with one or two instances of a category, and its true keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .categories import ObjectCategory
from .drawing import SUPERSAMPLING, Canvas, to_canvas
from .poses import Pose, Region, is_inside, sample_pose
from .scenery import light, sample_background, sample_occluders

UNLABELLED_RATE = 0.04
MIN_LABELLED = 3
MAX_ASPECT = 1.25

# Owner numbers. An instance uses FIRST + one of these; with two instances per picture
# and at most 20 keypoints all fit into uint8.
_PART, _KNOB, _STRUT, _STRIDE = 1, 41, 81, 100
_OCCLUDER = 255


@dataclass(frozen=True)
class Instance:
    """Labels of one drawn object.

    Attributes:
        keypoints: (x, y, v) with v = 2 seen, 1 hidden by an occluder or by another
            part, 0 (then x = y = 0) unlabelled or outside the image, float (K, 3).
        bbox: (x, y, w, h) around the visible pixels of the object.
        area: number of visible object pixels.
    """

    keypoints: np.ndarray
    bbox: tuple[float, float, float, float]
    area: float


@dataclass(frozen=True)
class Picture:
    """A picture, uint8 BGR (H, W, 3), and what is on it."""

    image: np.ndarray
    instances: tuple[Instance, ...]


def render_picture(
    category: ObjectCategory,
    rng: np.random.Generator,
    image_size: int,
    num_instances: int = 1,
) -> Picture:
    """Draw one picture.

    Args:
        category: what to draw.
        rng: the picture's generator; it decides everything but the look.
        image_size: shorter side in pixels; several instances stand side by side in a
            picture that is as many times wider.
        num_instances: 1 or 2.
    """
    regions, width, height = _layout(rng, image_size, num_instances)
    size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    canvas = Canvas(sample_background(rng, *size, category.palette))
    poses = [sample_pose(category, region, rng) for region in regions]
    for i, pose in enumerate(poses):
        draw_object(canvas, category, pose, first_owner=i * _STRIDE)
    for pose in poses:
        extent = float(np.ptp(pose.keypoints, axis=0).max())
        for corners, colour in sample_occluders(rng, pose.keypoints, extent):
            canvas.fill_polygon(corners, colour, _OCCLUDER)
    instances = tuple(
        _label(canvas.owner, category, pose, i * _STRIDE, rng)
        for i, pose in enumerate(poses)
    )
    return Picture(light(canvas.to_image(), rng), instances)


def draw_object(
    canvas: Canvas, category: ObjectCategory, pose: Pose, first_owner: int = 0
) -> None:
    """Draw parts and knobs, layer by layer from the back.

    Args:
        canvas: what to draw on.
        category: the look.
        pose: where the keypoints are.
        first_owner: added to the numbers written to the owner map.
    """
    points, joints = pose.keypoints, category.joints
    style = dict(shading=category.shading, has_outline=category.has_outline)
    for layer in (-1, 0, 1):
        members = [i for i, joint in enumerate(joints) if joint.layer == layer]
        for i in members:
            part, start = category.parts[i], points[joints[i].parent]
            if part is not None:
                owner = first_owner + _PART + i
                canvas.draw_part(part, start, points[i], pose.scale, owner, **style)
        if layer == 0 and category.strut is not None:
            strut, owner = category.strut, first_owner + _STRUT
            ends = points[strut.start], points[strut.end]
            canvas.draw_part(strut.part, *ends, pose.scale, owner, **style)
        for i in members:
            knob = category.knobs[i]
            if knob is not None:
                canvas.draw_knob(knob, points[i], pose.scale, first_owner + _KNOB + i)
    if category.eye is not None:
        owner = first_owner + _KNOB + len(joints)
        canvas.draw_knob(category.eye.knob, points[-1], pose.scale, owner)


def own_numbers(category: ObjectCategory) -> list[set[int]]:
    """For each keypoint the owner numbers that show it rather than hide it.

    These are its knob and the parts that end in it; (K,) sets, without the instance's
    ``first_owner``.
    """
    numbers = [{_KNOB + k} for k in range(category.num_keypoints)]
    for i, joint in enumerate(category.joints):
        if joint.parent >= 0:
            numbers[i].add(_PART + i)
            numbers[joint.parent].add(_PART + i)
    if category.strut is not None:
        numbers[category.strut.start].add(_STRUT)
        numbers[category.strut.end].add(_STRUT)
    return numbers


def _layout(
    rng: np.random.Generator, image_size: int, num_instances: int
) -> tuple[list[Region], int, int]:
    """Regions of the instances and the picture's width and height."""
    longer = int(image_size * rng.uniform(1.0, MAX_ASPECT))
    if num_instances > 1:
        width, height = num_instances * longer, image_size
    elif rng.random() < 0.5:
        width, height = longer, image_size
    else:
        width, height = image_size, longer
    step = width / num_instances
    regions = [Region(i * step, 0, step, height) for i in range(num_instances)]
    return regions, width, height


def _label(
    owner: np.ndarray,
    category: ObjectCategory,
    pose: Pose,
    first_owner: int,
    rng: np.random.Generator,
) -> Instance:
    """Read flags, box and area of one instance from the finished owner map."""
    height, width = (side // SUPERSAMPLING for side in owner.shape)
    keypoints = np.zeros((category.num_keypoints, 3))
    inside = is_inside(pose.keypoints, width, height)
    labelled = inside & (rng.random(len(inside)) >= UNLABELLED_RATE)
    if labelled.sum() < MIN_LABELLED:
        labelled = inside
    allowed = own_numbers(category)
    for k in np.flatnonzero(labelled):
        x, y = pose.keypoints[k]
        column, row = np.rint(to_canvas(pose.keypoints[k])).astype(int)
        shown = int(owner[row, column])
        hidden = shown != 0 and shown - first_owner not in allowed[k]
        keypoints[k] = x, y, 1 if hidden else 2
    mask = cv2.inRange(owner, first_owner + 1, first_owner + _STRIDE - 1)
    box = tuple(side / SUPERSAMPLING for side in cv2.boundingRect(mask))
    area = cv2.countNonZero(mask) / SUPERSAMPLING**2
    assert area > 0, f'{category.name}: an instance without a visible pixel'
    return Instance(keypoints, box, area)
