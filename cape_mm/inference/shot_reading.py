"""Marked pictures as a user hands them over, read and checked."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError, InstanceLoadError
from .preprocessing import clean_boxes
from .sources import Inputs, OneInput, find_sources, read_frames
from .support import Shot, check_marks


def read_shots(
    images: Inputs, keypoints: object, visibility: object, bbox: object
) -> list[Shot]:
    """Read the marked pictures, see :meth:`~.inferencer.CapeInferencer.set_support`.

    Raises:
        ConfigError: nothing is marked, a point lies outside its picture, or shapes
            disagree.
        InstanceLoadError: a picture can't be read.
    """
    is_list = isinstance(images, (list, tuple))
    pictures: list[OneInput] = list(images) if is_list else [images]
    if not pictures:
        raise ConfigError('the support has no picture')
    given = dict(keypoints=keypoints, visibility=visibility, bbox=bbox)
    columns = [
        _per_shot(value, is_list, len(pictures), name) for name, value in given.items()
    ]
    shots = [_read_shot(*row) for row in zip(pictures, *columns)]
    counts = [len(shot.keypoints) for shot in shots]
    if len(set(counts)) > 1:
        raise ConfigError(
            f'all shots must have the same keypoints, got {counts} of them; set those '
            f'that a shot does not show to NaN'
        )
    return shots


def _per_shot(value: object, is_list: bool, num: int, name: str) -> Sequence:
    """One entry per shot of an argument that may be given for one or for all."""
    if value is None:
        if name == 'keypoints':
            raise ConfigError('no keypoint is marked: mark one at least')
        return [None] * num
    entries = list(value) if is_list else [value]
    if len(entries) != num:
        raise ConfigError(
            f'{name}: expected one entry per picture, {num}, got {len(entries)}'
        )
    return entries


def _read_shot(
    picture: OneInput, keypoints: object, visibility: object, bbox: object
) -> Shot:
    sources = find_sources(picture)
    where = f'support {sources[0].name}'
    if len(sources) > 1 or sources[0].is_video:
        raise ConfigError(f'{where}: a support is a single picture')
    try:
        (frame,) = read_frames(sources[0])
        size = frame.image.shape[1::-1]
        box = clean_boxes(bbox, size)
    except InstanceLoadError as error:
        raise type(error)(f'{where}: {error}') from error
    except ConfigError as error:
        raise ConfigError(f'{where}: {error}') from error
    if len(box) != 1:
        raise ConfigError(f'{where}: expected one box, got {len(box)}')
    points, is_visible = check_marks(keypoints, visibility, size, where)
    return Shot(frame.image, points, is_visible, box[0])
