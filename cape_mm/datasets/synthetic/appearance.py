"""Colours, textures and part shapes of a synthetic category.

The looks are chosen so that a keypoint can be recognised: each next part takes, of a
few random candidates, the look farthest from those in use, so the left leg differs from
the right one and a knob from the part that it sits on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

Colour = tuple[int, int, int]

TEXTURES = ('plain', 'stripes', 'rings', 'dots', 'checker')
PART_SHAPES = ('capsule', 'taper', 'ellipse', 'blade')
KNOB_SHAPES = ('disc', 'ring', 'square')
NUM_CANDIDATES = 10


@dataclass(frozen=True)
class Look:
    """Surface of a part.

    Attributes:
        texture: one of ``TEXTURES``.
        colour: main colour, BGR in 0..255.
        accent: second colour of the texture, BGR.
        period: length of one repeat in units of the object's size.
    """

    texture: str
    colour: Colour
    accent: Colour
    period: float


@dataclass(frozen=True)
class Part:
    """What is drawn along a bone; half widths in units of the object's size."""

    shape: str
    half_width_start: float
    half_width_end: float
    look: Look


@dataclass(frozen=True)
class Knob:
    """What is drawn on a joint; ``radius`` in units of the object's size."""

    shape: str
    radius: float
    colour: Colour
    rim: Colour


def to_lab(colours: np.ndarray) -> np.ndarray:
    """CIE Lab of BGR colours in 0..255, (N, 3) float32."""
    bgr = np.asarray(colours, np.float32).reshape(1, -1, 3) / 255
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)[0]


@lru_cache(maxsize=4096)
def colour_distance(a: Colour, b: Colour) -> float:
    """Distance of two BGR colours in CIE Lab; 100 is black to white."""
    lab = to_lab(np.array([a, b]))
    return float(np.linalg.norm(lab[0] - lab[1]))


def random_colours(
    rng: np.random.Generator, count: int, saturation: tuple[float, float] = (0.35, 1.0)
) -> np.ndarray:
    """Random BGR colours, uint8 (count, 3), drawn in HSV."""
    hsv = np.stack(
        [
            rng.uniform(0, 360, count),
            rng.uniform(*saturation, count),
            rng.uniform(0.3, 1.0, count),
        ],
        axis=1,
    ).astype(np.float32)
    bgr = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2BGR)[0]
    return np.rint(bgr * 255).astype(np.uint8)


def sample_palette(rng: np.random.Generator, count: int) -> tuple[Colour, ...]:
    """``count`` well separated BGR colours: farthest-point choice in CIE Lab."""
    extremes = np.array([[240, 245, 245], [30, 25, 25]], np.uint8)
    colours = np.concatenate([random_colours(rng, 24), extremes])
    lab = to_lab(colours)
    chosen = [int(rng.integers(24))]
    while len(chosen) < count:
        gaps = np.linalg.norm(lab[:, None] - lab[chosen], axis=-1).min(axis=1)
        chosen.append(int(gaps.argmax()))
    return tuple(tuple(int(c) for c in colours[i]) for i in chosen)


def look_distance(a: Look, b: Look) -> float:
    """How different two looks are: colours first, texture as a bonus."""
    distance = colour_distance(a.colour, b.colour)
    if a.texture != 'plain' or b.texture != 'plain':
        distance += 0.4 * colour_distance(a.accent, b.accent)
    return distance + 15.0 * (a.texture != b.texture)


def sample_look(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Look:
    """A random look in two different colours of the palette."""
    first, second = rng.choice(len(palette), 2, replace=False)
    texture = str(rng.choice(TEXTURES, p=[0.36, 0.16, 0.16, 0.16, 0.16]))
    return Look(texture, palette[first], palette[second], rng.uniform(0.05, 0.1))


def sample_looks(
    rng: np.random.Generator, palette: tuple[Colour, ...], count: int
) -> list[Look]:
    """``count`` looks, each the candidate whose nearest predecessor is farthest."""
    looks = [sample_look(rng, palette)]
    while len(looks) < count:
        candidates = [sample_look(rng, palette) for _ in range(NUM_CANDIDATES)]
        gaps = [min(look_distance(c, look) for look in looks) for c in candidates]
        looks.append(candidates[int(np.argmax(gaps))])
    return looks


def sample_part(
    rng: np.random.Generator, look: Look, length: float, thick: bool
) -> Part:
    """A part for a bone of ``length`` (in units of the object's size)."""
    share = rng.uniform(0.24, 0.4) if thick else rng.uniform(0.14, 0.24)
    start = float(np.clip(share * length, 0.022, 0.1))
    shape = str(rng.choice(PART_SHAPES, p=[0.35, 0.3, 0.2, 0.15]))
    end = start * rng.uniform(0.35, 0.8) if shape == 'taper' else start
    return Part(shape, start, max(end, 0.015), look)


def sample_knob(
    rng: np.random.Generator,
    palette: tuple[Colour, ...],
    part: Part,
    used: list[tuple[Colour, Colour]],
) -> Knob:
    """A knob that stands out from its part, in a pair of colours not yet in use."""

    def score(colour: Colour) -> float:
        contrast = min(colour_distance(colour, part.look.colour), 60)
        repeats = used.count((colour, part.look.colour))
        return contrast - 40 * repeats + rng.uniform(0, 25)

    colour = max(palette, key=score)
    others = [c for c in palette if c != colour]
    rim = others[int(rng.integers(len(others)))]
    radius = float(np.clip(part.half_width_end * rng.uniform(0.8, 1.3), 0.026, 0.055))
    return Knob(str(rng.choice(KNOB_SHAPES)), radius, colour, rim)
