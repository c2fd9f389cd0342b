"""Skeleton families of the synthetic objects: which joint hangs on which, and how.

Every family is a function of a :class:`SkeletonBuilder`, which holds the category's
generator. Two categories of one family share the plan only: number of joints, lengths,
rest angles and mobility are drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Joint:
    """One keypoint of the tree and the bone that leads to it.

    Convention:
        - lengths in object units (a body is one to four units long)
        - angles in radians, x to the right, y down; ``angle`` is relative to the
          parent's bone (the root's bone points to +x)

    Attributes:
        name: unique name within the category.
        parent: index of the parent joint, always smaller than its own; -1 at the root.
        length: length of the bone from the parent, 0 at the root.
        angle: mean joint angle.
        swing: an instance's angle lies in ``angle`` +- ``swing``.
        limb: joints of one limb share it; 0 is the trunk.
        layer: -1 is drawn behind the trunk, 0 with it, 1 in front of it.
    """

    name: str
    parent: int
    length: float
    angle: float
    swing: float
    limb: int
    layer: int


class SkeletonBuilder:
    """Collects joints while a family function describes a body.

    Args:
        rng: the category's generator; it jitters lengths and angles.
        mobility: factor on every swing, > 0.
    """

    def __init__(self, rng: np.random.Generator, mobility: float = 1.0) -> None:
        self.rng = rng
        self.mobility = mobility
        self.joints: list[Joint] = [Joint('root', -1, 0.0, 0.0, 0.0, 0, 0)]
        self._num_limbs = 0

    def add(
        self,
        name: str,
        parent: int,
        length: float,
        degrees: float,
        swing: float = 20.0,
        limb: int = 0,
        layer: int = 0,
    ) -> int:
        """Append one joint with jittered length and rest angle; return its index."""
        length = length * self.rng.uniform(0.8, 1.25)
        angle = np.deg2rad(degrees + self.rng.uniform(-10, 10))
        swing = np.deg2rad(swing) * self.mobility
        joint = Joint(name, parent, length, float(angle), float(swing), limb, layer)
        self.joints.append(joint)
        return len(self.joints) - 1

    def add_limb(
        self,
        name: str,
        parent: int,
        length: float,
        degrees: float,
        num_joints: int,
        swing: float = 30.0,
        layer: int = 1,
        bend: float = 0.0,
    ) -> int:
        """Append a chain of ``num_joints`` bones, ``length`` in all; return its tip."""
        self._num_limbs += 1
        for i in range(num_joints):
            parent = self.add(
                f'{name}_{i}',
                parent,
                length / num_joints,
                degrees if i == 0 else bend,
                swing,
                self._num_limbs,
                layer,
            )
        return parent


def build_worm(body: SkeletonBuilder) -> None:
    """A chain of 6 to 10 joints, with up to two fins."""
    rng, tip = body.rng, 0
    for i in range(int(rng.integers(5, 10))):
        tip = body.add(f'segment_{i}', tip, 0.5, rng.uniform(-15, 15), 32)
    for i in range(int(rng.integers(0, 3))):
        host = int(rng.integers(1, 5))
        body.add_limb(f'fin_{i}', host, 0.6, rng.choice([-80, 80]), 1, 20)


def build_star(body: SkeletonBuilder) -> None:
    """Three to six arms of unequal length around a centre."""
    rng = body.rng
    num_arms = int(rng.integers(3, 7))
    num_joints = int(rng.integers(2, 4)) if num_arms < 6 else 2
    start = rng.uniform(0, 360)
    for i in range(num_arms):
        degrees = start + 360 * (i + rng.uniform(-0.2, 0.2)) / num_arms
        length = rng.uniform(0.6, 1.3)
        bend = rng.uniform(-30, 30)
        body.add_limb(f'arm_{i}', 0, length, degrees, num_joints, 26, 1, bend)


def build_quadruped(body: SkeletonBuilder) -> None:
    """Trunk, neck, head, four jointed legs, tail."""
    rng = body.rng
    withers = body.add('withers', 0, 1.3, 0, 10)
    head = body.add('head', withers, 0.7, rng.uniform(-75, -20), 28)
    body.add('muzzle', head, 0.4, rng.uniform(30, 90), 22)
    if rng.random() < 0.6:
        body.add_limb('ear', head, rng.uniform(0.25, 0.6), -60, 1, 25)
    if rng.random() < 0.8:
        body.add_limb('tail', 0, 0.8, 150, int(rng.integers(1, 4)), 35, 1, 20)
    for end, host in (('fore', withers), ('hind', 0)):
        for side, layer, degrees in (('near', 1, 75), ('far', -1, 110)):
            bend = rng.uniform(-35, 35)
            body.add_limb(f'{end}_{side}', host, 1.35, degrees, 2, 30, layer, bend)


def build_insect(body: SkeletonBuilder) -> None:
    """Thorax, head, abdomen, six legs, mostly two feelers."""
    rng = body.rng
    head = body.add('head', 0, 0.6, 0, 18)
    body.add('abdomen', 0, rng.uniform(0.7, 1.4), 180, 20)
    num_joints = int(rng.integers(1, 3))
    for i, degrees in enumerate((45, 90, 135)):
        for side, sign in (('left', -1), ('right', 1)):
            length, bend = rng.uniform(0.7, 1.2), sign * rng.uniform(0, 50)
            body.add_limb(
                f'leg_{side}_{i}', 0, length, sign * degrees, num_joints, 16, -1, bend
            )
    if rng.random() < 0.7:
        for side, sign in (('left', -1), ('right', 1)):
            length = rng.uniform(0.4, 0.9)
            body.add_limb(f'feeler_{side}', head, length, sign * 35, 1, 22)


def build_biped(body: SkeletonBuilder) -> None:
    """Upright trunk, head, two arms, two legs."""
    rng = body.rng
    chest = body.add('chest', 0, 1.0, -90, 10)
    body.add('head', chest, 0.6, 0, 22)
    num_joints = int(rng.integers(2, 4))
    for side, sign, layer in (('left', -1, -1), ('right', 1, 1)):
        body.add_limb(
            f'arm_{side}', chest, 1.1, sign * 125, num_joints, 42, layer, sign * 20
        )
        body.add_limb(
            f'leg_{side}', 0, 1.4, 90 - sign * 22, num_joints, 28, layer, sign * 12
        )
    if rng.random() < 0.3:
        body.add_limb('tail', 0, 0.9, 150, 2, 30, 1, 25)


def build_bird(body: SkeletonBuilder) -> None:
    """Body, head, beak, fan of tail feathers, two wings, legs."""
    rng = body.rng
    chest = body.add('chest', 0, 0.9, rng.uniform(-35, 0), 8)
    head = body.add('head', chest, 0.5, rng.uniform(-60, -10), 30)
    body.add('beak', head, 0.35, rng.uniform(10, 60), 18)
    for i in range(int(rng.integers(1, 4))):
        body.add_limb(f'feather_{i}', 0, 0.7, 160 + 25 * i, 1, 14, -1)
    body.add_limb('wing_near', chest, 1.3, -110, 2, 42, 1, -40)
    body.add_limb('wing_far', chest, 1.3, -60, 2, 42, -1, 35)
    for side, degrees in (('near', 80), ('far', 115)):
        body.add_limb(f'leg_{side}', 0, 0.7, degrees, int(rng.integers(1, 3)), 24, -1)


def build_machine(body: SkeletonBuilder) -> None:
    """A rigid foot, a jointed arm, a gripper: a lamp, a crane, an excavator."""
    rng = body.rng
    for side, degrees in (('left', 150), ('right', 20)):
        body.add(f'foot_{side}', 0, 0.6, degrees, 4)
    tip = body.add('column', 0, 0.7, -90, 8)
    for i in range(int(rng.integers(2, 5))):
        tip = body.add(f'elbow_{i}', tip, 0.8, rng.uniform(20, 70), 32)
    for i, degrees in enumerate(np.linspace(-45, 45, int(rng.integers(2, 4)))):
        body.add_limb(f'finger_{i}', tip, 0.5, degrees, int(rng.integers(1, 3)), 20)


def build_plant(body: SkeletonBuilder) -> None:
    """A stem with branches at random places."""
    rng = body.rng
    stem = [0]
    for i in range(int(rng.integers(3, 5))):
        degrees = -90 if i == 0 else rng.uniform(-15, 15)
        stem.append(body.add(f'stem_{i}', stem[-1], 0.6, degrees, 16))
    for i in range(int(rng.integers(3, 7))):
        host = int(rng.choice(stem[1:]))
        degrees = rng.choice([-1, 1]) * rng.uniform(35, 100)
        length = rng.uniform(0.5, 1.0)
        body.add_limb(f'branch_{i}', host, length, degrees, 1 + i % 2, 24, i % 2)


def build_frame(body: SkeletonBuilder) -> None:
    """An almost rigid open polygon with legs: a chair, a kite, a frame."""
    rng = body.rng
    corners, num_corners = [0], int(rng.integers(4, 7))
    for i in range(num_corners - 1):
        turn = 360 / num_corners if i else rng.uniform(0, 360)
        corners.append(body.add(f'corner_{i}', corners[-1], 0.9, turn, 7))
    for i in range(int(rng.integers(2, 5))):
        host = corners[int(rng.integers(num_corners))]
        body.add_limb(f'leg_{i}', host, 0.9, -110 + 40 * i, 1 + i % 2, 16)


TOPOLOGIES: dict[str, Callable[[SkeletonBuilder], None]] = {
    'quadruped': build_quadruped,
    'star': build_star,
    'insect': build_insect,
    'machine': build_machine,
    'biped': build_biped,
    'worm': build_worm,
    'bird': build_bird,
    'plant': build_plant,
    'frame': build_frame,
}


def build_skeleton(family: str, rng: np.random.Generator) -> tuple[Joint, ...]:
    """Joints of a random body of ``family``, 6 to 19 of them, parents first."""
    body = SkeletonBuilder(rng, mobility=rng.uniform(0.8, 1.2))
    TOPOLOGIES[family](body)
    assert 6 <= len(body.joints) <= 19, f'{family}: {len(body.joints)} joints'
    return tuple(body.joints)
