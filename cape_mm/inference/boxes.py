"""Where the objects are: boxes in the forms in which they may be handed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import ConfigError, ImageDecodeError
from ..structures.geometry import clean_box
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

        def find(place: int, frame: Frame) -> object:
            if frame.source not in by_name:
                raise ConfigError('has no entry in bboxes; None is the whole picture')
            return by_name[frame.source]

        return find
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


def whole_image(image_size: tuple[int, int]) -> np.ndarray:
    """The box of a whole picture of ``image_size`` (w, h), float64 (1, 4)."""
    return np.array([[0.0, 0.0, *image_size]])


def clean_boxes(
    boxes: object, image_size: tuple[int, int], unusable: list[str] | None = None
) -> np.ndarray:
    """Check and clip boxes as evaluation does.

    Args:
        boxes: (x, y, w, h) in pixels, (N, 4) or one (4,); None is the whole picture.
        image_size: (w, h).
        unusable: receives what is wrong with boxes that are left out; None raises.

    Returns:
        Clean boxes, float64 (N, 4).

    Raises:
        ConfigError: they are no boxes.
        ImageDecodeError: the picture is too small to hold an object.
    """
    try:
        array = whole_image(image_size) if boxes is None else boxes
        array = np.atleast_2d(np.asarray(array, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ConfigError(f'boxes are not numbers: {error}') from error
    if array.size == 0:
        return np.zeros((0, 4))
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise ConfigError(
            f'boxes must be finite numbers (x, y, w, h), (N, 4), got {array.shape}'
        )
    if min(image_size) < 2:
        raise ImageDecodeError(
            f'is only {image_size[0]} x {image_size[1]} pixels: nothing can be found '
            f'on it'
        )
    cleaned = [clean_box(box, image_size) for box in array]
    wrong = [
        f'box {box.tolist()} (x, y, w, h) has no area inside the picture of '
        f'{image_size[0]} x {image_size[1]} pixels'
        for box, kept in zip(array, cleaned)
        if kept is None
    ]
    if wrong and unusable is None:
        raise ConfigError(wrong[0])
    if wrong:
        unusable += wrong
    return np.reshape([box for box in cleaned if box is not None], (-1, 4))
