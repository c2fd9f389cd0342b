"""Boxes in the forms in which a user may hand them over."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import ConfigError
from .sources import Frame, Source, printable

Detector = Callable[[np.ndarray], np.ndarray]
Boxes = np.ndarray | Sequence | Mapping[str | os.PathLike, np.ndarray] | Detector


def box_finder(
    bboxes: Boxes | None, sources: Sequence[Source]
) -> Callable[[int, Frame], object]:
    """A function from a source's place and its frame to boxes.

    Args:
        bboxes: see :meth:`~.inferencer.CapeInferencer.iterate`.
        sources: all inputs.

    Raises:
        ConfigError: there is not one entry per input.
    """
    if bboxes is None:
        return lambda place, frame: None
    if callable(bboxes):
        return lambda place, frame: bboxes(frame.image)
    if isinstance(bboxes, Mapping):
        by_name = {printable(os.fspath(key)): boxes for key, boxes in bboxes.items()}
        return lambda place, frame: by_name.get(frame.source)
    if len(sources) == 1 and _is_boxes(bboxes):
        return lambda place, frame: bboxes
    if len(bboxes) != len(sources):
        raise ConfigError(
            f'bboxes: expected one entry per input, {len(sources)}, got {len(bboxes)}'
        )
    return lambda place, frame: bboxes[place]


def _is_boxes(value: Boxes) -> bool:
    """Whether it is the boxes of one input, not a list with one entry per input."""
    if not len(value):
        return True
    first = value[0]
    if first is None:
        return False
    return np.ndim(first) == 0 or (np.ndim(first) == 1 and len(first) == 4)
