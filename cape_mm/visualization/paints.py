"""Colours of keypoints, and how much of them is laid over a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

Color = tuple[int, ...]
"""(blue, green, red), with the opacity in 0..255 behind where pictures show through."""

OUTLINE: Color = (20, 20, 20)
WHITE: Color = (255, 255, 255)
MIN_OPACITY = 0.3
"""Of a keypoint with no confidence at all: it can still be found."""


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
    bgr, lab = _candidate_colors()
    nearest = np.linalg.norm(lab - lab[-1], axis=1)
    chosen = [len(lab) - 1]
    while len(chosen) < num_keypoints:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[chosen[-1]], axis=1))
    return tuple(tuple(bgr[index].tolist()) for index in chosen[:num_keypoints])


def _candidate_colors() -> tuple[np.ndarray, np.ndarray]:
    """Vivid colours that stand out from a dark rim: BGR uint8 and CIELAB, (M, 3)."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    bgr = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    lab = cv2.cvtColor(bgr[None].astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0]
    is_vivid = (lab[:, 0] > 42) & (np.linalg.norm(lab[:, 1:], axis=1) > 45)
    return bgr[is_vivid], lab[is_vivid]


@dataclass(frozen=True)
class Paints:
    """What each of K keypoints is drawn with.

    Attributes:
        colors: of the keypoints.
        outlines: dark, around the marks.
        whites: white, around the marks of virtual keypoints.
        opacity: in [0, 1], (K,).
    """

    colors: tuple[Color, ...]
    outlines: tuple[Color, ...]
    whites: tuple[Color, ...]
    opacity: np.ndarray

    @property
    def is_opaque(self) -> bool:
        """Whether no picture shows through."""
        return bool((self.opacity == 1).all())

    def in_order(self, mask: np.ndarray) -> np.ndarray:
        """Indices of the keypoints in ``mask``, the most opaque last."""
        order = np.argsort(self.opacity, kind='stable')
        return order[mask[order]]

    def canvas(self, image: np.ndarray) -> np.ndarray:
        """A copy to draw on with these colours, uint8 (H, W, 3), or (H, W, 4).

        The fourth channel collects the opacity of what is drawn.
        """
        if self.is_opaque:
            return np.ascontiguousarray(image).copy()
        canvas = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2BGRA)
        canvas[..., 3] = 0
        return canvas


def keypoint_paints(num_keypoints: int, scores: np.ndarray | None) -> Paints:
    """Colours of the keypoints, transparent as far as their confidence is low.

    Args:
        num_keypoints: K.
        scores: confidence in [0, 1], (K,), NaN counting as 0; None: all opaque.
    """
    opacity = np.ones(num_keypoints)
    if scores is not None:
        certainty = np.clip(np.nan_to_num(scores), 0, 1)
        opacity = MIN_OPACITY + (1 - MIN_OPACITY) * certainty
    plain = keypoint_colors(num_keypoints)
    levels = [()] * num_keypoints
    if (opacity < 1).any():
        levels = [(round(255 * value),) for value in opacity.tolist()]
    return Paints(
        tuple(color + level for color, level in zip(plain, levels)),
        tuple(OUTLINE + level for level in levels),
        tuple(WHITE + level for level in levels),
        opacity,
    )


def blend(image: np.ndarray, canvas: np.ndarray) -> np.ndarray:
    """Lay a canvas over the picture that it was made of.

    Args:
        image: uint8 (H, W, 3); not changed.
        canvas: from :meth:`Paints.canvas`, drawn on.

    Returns:
        uint8 (H, W, 3).
    """
    if canvas.shape[-1] == 3:
        return canvas
    drawn = np.ascontiguousarray(image).copy()
    left, top, width, height = cv2.boundingRect(cv2.extractChannel(canvas, 3))
    if width:
        box = np.s_[top : top + height, left : left + width]
        share = canvas[box][..., 3] / np.float32(255)
        color = cv2.cvtColor(canvas[box], cv2.COLOR_BGRA2BGR)
        drawn[box] = cv2.blendLinear(color, drawn[box], share, 1 - share)
    return drawn
