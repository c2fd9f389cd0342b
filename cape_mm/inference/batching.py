"""Instances of many pictures in batches, and their predictions back to pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import nn

from ..errors import InstanceLoadError
from ..models.estimators import fill_predictions
from ..structures import EpisodeDataSample
from .preprocessing import CropPipeline, clean_boxes, to_inputs
from .results import InferenceResult, SkippedInput
from .sources import Frame
from .support import Support

MAX_HELD_PIXELS = 64_000_000
"""A batch starts early when the pictures that wait for it have this many."""


@dataclass(frozen=True)
class Task:
    """A picture with its instances, ready for the model.

    Attributes:
        frame: the picture.
        boxes: clean boxes, float64 (N, 4).
        packed: what the pipeline made of every instance, N of them.
    """

    frame: Frame
    boxes: np.ndarray
    packed: tuple[dict, ...]

    @property
    def held_pixels(self) -> int:
        """Pixels of the picture that are in memory."""
        image = self.frame.image
        return 0 if 0 in image.strides else image.shape[0] * image.shape[1]


def make_task(frame: Frame, boxes: object, pipeline: CropPipeline) -> Task:
    """Crop the instances of a picture.

    Args:
        frame: the picture.
        boxes: see :func:`~.preprocessing.clean_boxes`.
        pipeline: the config's.

    Raises:
        ConfigError: the boxes are no boxes.
        ImageDecodeError: the picture is too small.
    """
    boxes = clean_boxes(boxes, frame.image.shape[1::-1])
    return Task(frame, boxes, tuple(pipeline.pack(frame.image, box) for box in boxes))


def tasks_of_frames(
    frames: Iterable[tuple[int, Frame]],
    find_boxes: Callable[[int, Frame], object],
    pipeline: CropPipeline,
    skipped: list[SkippedInput] | None,
) -> Iterator[Task]:
    """Crop the instances of picture after picture.

    Args:
        frames: places of the sources with their pictures.
        find_boxes: from these to boxes.
        pipeline: the config's.
        skipped: receives pictures that are too small; None raises at the first one.
    """
    for place, frame in frames:
        try:
            yield make_task(frame, find_boxes(place, frame), pipeline)
        except InstanceLoadError as error:
            if skipped is None:
                raise type(error)(f'{frame.source}: {error}') from error
            skipped.append(SkippedInput(frame.source, frame.number, str(error)))


def predict_tasks(
    model: nn.Module,
    support: Support,
    tasks: Iterable[Task],
    batch_size: int,
    keep_images: bool,
    lock: AbstractContextManager,
) -> Iterator[InferenceResult]:
    """Predict pictures in their order, holding about one batch of them in memory.

    Args:
        model: a model with ``encode_instances`` and ``predict_from_features``, as
            :class:`~cape_mm.models.CAPE` has them.
        support: what to look for.
        tasks: pictures with their instances.
        batch_size: instances per pass.
        keep_images: hand the pictures out with the results.
        lock: held while the model runs.

    Raises:
        NonFinitePredictionError: a prediction is NaN or infinite.
    """
    waiting: list[Task] = []
    num_instances = num_pixels = 0
    for task in tasks:
        waiting.append(task if keep_images else without_image(task))
        num_instances += len(task.packed)
        num_pixels += waiting[-1].held_pixels
        if num_instances >= batch_size or num_pixels >= MAX_HELD_PIXELS:
            yield from _predict(model, support, waiting, batch_size, lock)
            waiting, num_instances, num_pixels = [], 0, 0
    yield from _predict(model, support, waiting, batch_size, lock)


def without_image(task: Task) -> Task:
    """The same without the pixels: only the size of the picture is kept."""
    size = task.frame.image.shape
    stub = np.broadcast_to(np.zeros(1, np.uint8), size)
    return replace(task, frame=replace(task.frame, image=stub))


def _predict(
    model: nn.Module,
    support: Support,
    tasks: list[Task],
    batch_size: int,
    lock: AbstractContextManager,
) -> Iterator[InferenceResult]:
    packed = [one for task in tasks for one in task.packed]
    names = [task.frame.source for task in tasks for _ in task.packed]
    parts = []
    for start in range(0, len(packed), batch_size):
        rows = slice(start, start + batch_size)
        with lock:
            parts.append(_predict_batch(model, support, packed[rows], names[rows]))
    row = 0
    found = _concatenate(parts, support.category.num_keypoints)
    for task in tasks:
        end = row + len(task.packed)
        yield _to_result(task, [values[row:end] for values in found])
        row = end


def _predict_batch(
    model: nn.Module, support: Support, packed: list[dict], names: list[str]
) -> InstanceData:
    queries = to_inputs(model, packed)
    features = model.encode_instances(queries, roles=('query',))
    inputs = replace(
        support.inputs,
        query_images=queries.query_images,
        query_to_episode=torch.zeros_like(queries.query_to_episode),
    )
    predicted = model.predict_from_features(features, inputs, support.tokens)
    sample = EpisodeDataSample(
        metainfo=dict(
            category_id=support.category.id,
            category_name=support.category.name,
            num_keypoints=support.category.num_keypoints,
            input_size=packed[0]['input_size'],
            query_slots=list(range(len(packed))),
            query_img_paths=names,
            crop_to_image=np.stack([one['crop_to_image'] for one in packed]),
        )
    )
    fill_predictions([sample], predicted)
    return sample.pred_instances


def _concatenate(parts: list[InstanceData], num_keypoints: int) -> list[np.ndarray]:
    """Keypoints (N, K, 2), confidence (N, K) and visibility (N, K) of all batches."""
    keypoints = [part.keypoints_orig.double().numpy() for part in parts]
    scores = [part.keypoint_scores.double().numpy() for part in parts]
    visibility = [
        part.keypoints_visible.double().numpy()
        if 'keypoints_visible' in part
        else np.full(part.keypoint_scores.shape, np.nan)
        for part in parts
    ]
    if not parts:
        nothing = np.zeros((0, num_keypoints))
        return [np.zeros((0, num_keypoints, 2)), nothing, nothing]
    return [np.concatenate(values) for values in (keypoints, scores, visibility)]


def _to_result(task: Task, found: list[np.ndarray]) -> InferenceResult:
    frame = task.frame
    is_stub = 0 in frame.image.strides
    return InferenceResult(
        source=frame.source,
        frame=frame.number,
        image_size=tuple(frame.image.shape[1::-1]),
        keypoints=found[0],
        confidence=found[1],
        visibility=found[2],
        boxes=task.boxes,
        notes=frame.notes,
        image=None if is_stub else frame.image,
    )
