"""The marked pictures that tell a model what to look for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ..datasets.categories import Category
from ..errors import ConfigError, InstanceLoadError
from ..structures import EpisodeInputs
from ..structures.skeleton import check_skeleton
from .boxes import clean_boxes
from .sources import Inputs, find_sources, read_content


@dataclass(frozen=True)
class Shot:
    """One marked instance, checked.

    Attributes:
        image: BGR, uint8 (H, W, 3).
        keypoints: (x, y) in pixels of the image, float64 (K, 2), zero where not marked.
        is_visible: bool (K,).
        bbox: clean box (x, y, w, h), float64 (4,).
    """

    image: np.ndarray
    keypoints: np.ndarray
    is_visible: np.ndarray
    bbox: np.ndarray


@dataclass(frozen=True)
class Support:
    """S encoded shots: all that prediction needs, never changed.

    Attributes:
        category: K, skeleton and names of the keypoints.
        features: what the model's ``encode_instances`` gave ``as_support``, S rows.
        inputs: graph and marks of the shots, as an episode without query.
        tokens: what the model's ``relate_shots`` made of them.
        shots: the marked pictures themselves.
    """

    category: Category
    features: tuple[torch.Tensor, ...]
    inputs: EpisodeInputs
    tokens: torch.Tensor | tuple[torch.Tensor, ...]
    shots: tuple[Shot, ...]

    @property
    def num_shots(self) -> int:
        """S."""
        return self.inputs.support_visible.shape[1]

    @property
    def is_known(self) -> np.ndarray:
        """Keypoint is marked in at least one shot, bool (K,)."""
        return self.inputs.is_known[0].cpu().numpy()


def relate(
    model: nn.Module,
    category: Category,
    features: tuple[torch.Tensor, ...],
    inputs: EpisodeInputs,
    shots: Sequence[Shot],
) -> Support:
    """Encoded shots, ready for any number of queries; arguments as in the class."""
    tokens = model.relate_shots(features, inputs)
    return Support(category, features, inputs, tokens, tuple(shots))


def join(model: nn.Module, one: Support, other: Support) -> Support:
    """The shots of two supports of the same category, as one support."""
    mine, more = one.inputs, other.inputs
    names = ('support_images', 'support_keypoints', 'support_visible')
    shots = {n: torch.cat([getattr(mine, n), getattr(more, n)], dim=1) for n in names}
    num_steps = int(shots['support_visible'].any(dim=1).sum())
    features = tuple(map(torch.cat, zip(one.features, other.features)))
    inputs = replace(mine, **shots, num_steps=num_steps)
    return relate(model, one.category, features, inputs, one.shots + other.shots)


def as_episode(inputs: EpisodeInputs) -> EpisodeInputs:
    """S episodes of one shot each as one episode of S shots, without a query."""
    visible = inputs.support_visible.transpose(0, 1)
    return EpisodeInputs(
        support_images=inputs.support_images.transpose(0, 1),
        query_images=inputs.query_images[:0],
        support_keypoints=inputs.support_keypoints.transpose(0, 1),
        support_visible=visible,
        hops=inputs.hops[:1],
        query_to_episode=inputs.query_to_episode[:0],
        num_steps=int(visible.any(dim=1).sum()),
    )


def make_category(
    num_keypoints: int,
    skeleton: Sequence[Sequence[int]] | None,
    names: Sequence[str] | None,
) -> Category:
    """What the user told of the keypoints.

    Raises:
        ConfigError: an edge is no pair or out of range, or there are not K names.
    """
    try:
        edges = tuple((int(a), int(b)) for a, b in skeleton or ())
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f'skeleton: expected pairs of keypoint indices, got {skeleton!r}'
        ) from error
    try:
        check_skeleton(edges, num_keypoints)
    except ValueError as error:
        raise ConfigError(f'skeleton: {error}') from error
    names = tuple(str(name) for name in names or ())
    if names and len(names) != num_keypoints:
        raise ConfigError(
            f'names: expected {num_keypoints}, one per keypoint, got {len(names)}'
        )
    return Category(0, 'support', '', num_keypoints, edges, names)


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
    pictures = list(images) if is_list else [images]
    if not pictures:
        raise ConfigError('the support has no picture')
    if keypoints is None:
        raise ConfigError('no keypoint is marked: mark one at least')
    columns = []
    given = dict(keypoints=keypoints, visibility=visibility, bbox=bbox)
    for name, value in given.items():
        entries = list(value) if is_list and value is not None else [value]
        if value is None:
            entries *= len(pictures)
        if len(entries) != len(pictures):
            raise ConfigError(
                f'{name}: expected one entry per picture, {len(pictures)}, got '
                f'{len(entries)}'
            )
        columns.append(entries)
    shots = [_read_shot(*row) for row in zip(pictures, *columns)]
    counts = [len(shot.keypoints) for shot in shots]
    if len(set(counts)) > 1:
        raise ConfigError(
            f'all shots must have the same keypoints, got {counts} of them; set those '
            f'that a shot does not show to NaN'
        )
    return shots


def _read_shot(
    picture: object, keypoints: object, visibility: object, bbox: object
) -> Shot:
    sources = find_sources(picture)
    where = f'support {sources[0].name}'
    if len(sources) > 1 or sources[0].is_video:
        raise ConfigError(f'{where}: a support is a single picture')
    try:
        image = read_content(sources[0].content).image
        box = clean_boxes(bbox, image.shape[1::-1])
        if len(box) != 1:
            raise ConfigError(f'expected one box, got {len(box)}')
        points, is_visible = check_marks(keypoints, visibility, image.shape[1::-1])
    except (InstanceLoadError, ConfigError) as error:
        raise type(error)(f'{where}: {error}') from error
    return Shot(image, points, is_visible, box[0])


def check_marks(
    keypoints: object, visibility: object, image_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Check the keypoints that were marked on one picture.

    Args:
        keypoints: (x, y) in pixels, (K, 2); NaN where not marked.
        visibility: > 0 where marked, (K,); None counts all finite points as marked.
        image_size: (w, h).

    Returns:
        Keypoints float64 (K, 2), zero where not marked, and which are, bool (K,).

    Raises:
        ConfigError: nothing is marked, or a point lies outside the picture.
    """
    try:
        points = np.asarray(keypoints, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f'keypoints are not numbers: {error}') from error
    if points.size and (points.ndim != 2 or points.shape[1] != 2):
        raise ConfigError(f'keypoints must be (K, 2), got {points.shape}')
    points = points.reshape(-1, 2)
    is_visible = np.isfinite(points).all(axis=1)
    if visibility is not None:
        told = np.asarray(visibility)
        if told.shape != (len(points),):
            raise ConfigError(f'visibility must be ({len(points)},), got {told.shape}')
        if (is_lost := (told > 0) & ~is_visible).any():
            raise ConfigError(
                f'keypoints {np.flatnonzero(is_lost).tolist()} are marked visible, but '
                f'have no finite coordinates'
            )
        is_visible = told > 0
    if not is_visible.any():
        raise ConfigError('no keypoint is marked: mark one at least')
    # labels of tools that count from a pixel's corner reach the width itself
    is_inside = ((points >= -1) & (points <= np.asarray(image_size))).all(axis=1)
    outside = np.flatnonzero(is_visible & ~is_inside)
    if len(outside):
        shown = ', '.join(f'{k} at {points[k].round(1).tolist()}' for k in outside[:5])
        raise ConfigError(
            f'{len(outside)} keypoints lie outside the picture of {image_size[0]} x '
            f'{image_size[1]} pixels: {shown}. Were they marked on another size of the '
            f'picture, or before it was turned?'
        )
    return np.where(is_visible[:, None], points, 0.0), is_visible
