"""Procedural object categories: what all instances of a category have in common.

Everything here comes from the category's seed: skeleton, part shapes, palette,
textures, knobs, mobility. What differs between two pictures of one category (pose,
camera, background, occlusion, light) belongs to ``poses``, ``scenery`` and
``rendering``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .appearance import (
    Colour,
    Knob,
    Look,
    Part,
    sample_knob,
    sample_looks,
    sample_palette,
    sample_part,
)
from .topologies import TOPOLOGIES, Joint, build_skeleton

EYE_RATE = 0.35
STRUT_RATE = 0.25
BARE_JOINT_RATE = 0.15


@dataclass(frozen=True)
class Strut:
    """A bone that closes a cycle: it joins two joints that have no bone in common."""

    start: int
    end: int
    part: Part


@dataclass(frozen=True)
class Eye:
    """A keypoint without a bone, at a fixed place of a part.

    Attributes:
        host: joint whose bone carries the eye.
        along: place along that bone, 0 at the parent and 1 at the host.
        across: offset across the bone in units of the object's size.
        knob: what is drawn there.
    """

    host: int
    along: float
    across: float
    knob: Knob


@dataclass(frozen=True)
class ObjectCategory:
    """A procedural category; keypoint k is joint k, the eye (if any) comes last.

    Attributes:
        id: MP-100 style category id, from 1.
        name: unique name, ``<family>_<id>``.
        family: key of ``TOPOLOGIES``; written as the supercategory.
        size: longer side of the rest pose in object units.
        joints: (J,) joints, parents first.
        parts: (J,) part of the bone that ends in joint j; None at the root.
        knobs: (J,) knob of joint j, None for a bare joint.
        strut: optional bone that closes a cycle.
        eye: optional isolated keypoint.
        palette: 4 to 7 BGR colours.
        shading: strength of the shading across a part, in [0, 1].
        has_outline: whether parts have a dark outline.
    """

    id: int
    name: str
    family: str
    size: float
    joints: tuple[Joint, ...]
    parts: tuple[Part | None, ...]
    knobs: tuple[Knob | None, ...]
    strut: Strut | None
    eye: Eye | None
    palette: tuple[Colour, ...]
    shading: float
    has_outline: bool

    @property
    def num_keypoints(self) -> int:
        """K, the joints and the eye."""
        return len(self.joints) + (self.eye is not None)

    @property
    def keypoint_names(self) -> list[str]:
        """Names of the K keypoints."""
        return [j.name for j in self.joints] + ['eye'] * (self.eye is not None)

    @property
    def skeleton(self) -> list[list[int]]:
        """Edges as pairs of 0-based keypoint indices."""
        edges = [[j.parent, i] for i, j in enumerate(self.joints) if j.parent >= 0]
        if self.strut is not None:
            edges.append([self.strut.start, self.strut.end])
        return edges


def forward_kinematics(
    joints: tuple[Joint, ...], angles: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Joint positions for given relative angles and bone lengths.

    Args:
        joints: the tree, parents first.
        angles: angle of each bone relative to its parent's, radians, (J,).
        lengths: bone lengths, (J,).

    Returns:
        (x, y) in object units with the root at (0, 0), (J, 2).
    """
    heading = np.zeros(len(joints))
    points = np.zeros((len(joints), 2))
    for i, joint in enumerate(joints[1:], start=1):
        heading[i] = heading[joint.parent] + angles[i]
        step = lengths[i] * np.array([np.cos(heading[i]), np.sin(heading[i])])
        points[i] = points[joint.parent] + step
    return points


def make_category(category_id: int, seed: int) -> ObjectCategory:
    """The category ``category_id`` of the data set with seed ``seed``.

    The families take turns over the ids, so that a few dozen categories hold them all.
    """
    rng = np.random.default_rng([seed, category_id])
    family = list(TOPOLOGIES)[(category_id - 1) % len(TOPOLOGIES)]
    joints = build_skeleton(family, rng)
    rest = _rest_pose(joints)
    size = float(np.ptp(rest, axis=0).max())
    palette = sample_palette(rng, int(rng.integers(4, 8)))
    *looks, strut_look = sample_looks(rng, palette, len(joints))
    parts = _sample_parts(rng, joints, size, looks)
    return ObjectCategory(
        id=category_id,
        name=f'{family}_{category_id:03d}',
        family=family,
        size=size,
        joints=joints,
        parts=parts,
        knobs=_sample_knobs(rng, parts, palette),
        strut=_sample_strut(rng, joints, rest, strut_look),
        eye=_sample_eye(rng, parts, palette),
        palette=palette,
        shading=float(rng.uniform(0.1, 0.5)),
        has_outline=bool(rng.random() < 0.5),
    )


def _rest_pose(joints: tuple[Joint, ...]) -> np.ndarray:
    angles = np.array([j.angle for j in joints])
    lengths = np.array([j.length for j in joints])
    return forward_kinematics(joints, angles, lengths)


def _sample_parts(
    rng: np.random.Generator,
    joints: tuple[Joint, ...],
    size: float,
    looks: list[Look],
) -> tuple[Part | None, ...]:
    """One part per bone, the trunk's thicker than the limbs'."""
    bones = zip(joints[1:], looks)
    parts = (sample_part(rng, look, j.length / size, j.limb == 0) for j, look in bones)
    return (None, *parts)


def _sample_knobs(
    rng: np.random.Generator,
    parts: tuple[Part | None, ...],
    palette: tuple[Colour, ...],
) -> tuple[Knob | None, ...]:
    """One knob per joint, but for a few bare ones; the root takes its child's part."""
    used: list[tuple[Colour, Colour]] = []
    knobs: list[Knob | None] = []
    for part in (parts[1], *parts[1:]):
        assert part is not None, 'only the root has no part'
        knob = sample_knob(rng, palette, part, used)
        used.append((knob.colour, part.look.colour))
        knobs.append(None if rng.random() < BARE_JOINT_RATE else knob)
    return tuple(knobs)


def _sample_strut(
    rng: np.random.Generator,
    joints: tuple[Joint, ...],
    rest: np.ndarray,
    look: Look,
) -> Strut | None:
    """Now and then a thin bone between two near joints."""
    if rng.random() > STRUT_RATE:
        return None
    pairs = [
        (i, j) for j in range(len(joints)) for i in range(j) if joints[j].parent != i
    ]
    pairs.sort(key=lambda pair: float(np.linalg.norm(rest[pair[0]] - rest[pair[1]])))
    start, end = pairs[int(rng.integers(min(6, len(pairs))))]
    return Strut(start, end, Part('capsule', 0.02, 0.02, look))


def _sample_eye(
    rng: np.random.Generator,
    parts: tuple[Part | None, ...],
    palette: tuple[Colour, ...],
) -> Eye | None:
    """Sometimes an eye on one of the widest parts, so that it has room."""
    if rng.random() > EYE_RATE:
        return None
    widths = [0.0 if p is None else p.half_width_start for p in parts]
    host = int(np.argsort(widths)[-int(rng.integers(1, 4))])
    part = parts[host]
    assert part is not None, 'the root has no part and thus width 0'
    knob = sample_knob(rng, palette, part, [])
    across = part.half_width_start * rng.uniform(-0.4, 0.4)
    return Eye(host, rng.uniform(0.35, 0.65), across, knob)
