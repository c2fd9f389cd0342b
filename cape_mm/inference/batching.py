"""Instances of many pictures in batches, and their predictions back to pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import nn

from ..models.estimators import fill_predictions
from ..structures import EpisodeDataSample
from .boxes import clean_boxes
from .cropping import CropPipeline, to_inputs
from .results import InferenceResult
from .sources import Frame
from .support import Support

MAX_HELD_PIXELS = 64_000_000
"""A batch starts early when the pictures that wait for it have this many."""


class Task(NamedTuple):
    """A picture with its instances, ready for the model.

    Attributes:
        packed: what the pipeline made of every instance, N of them.
        result: all that is known before, without keypoints.
    """

    packed: tuple[dict, ...]
    result: InferenceResult

    @property
    def held_pixels(self) -> int:
        """Pixels of the picture that are kept in memory."""
        image = self.result.image
        return 0 if image is None else image.shape[0] * image.shape[1]


def make_task(
    frame: Frame,
    boxes: object,
    pipeline: CropPipeline,
    keep_image: bool = False,
    unusable: list[str] | None = None,
) -> Task:
    """Crop the instances of a picture.

    Args:
        frame: the picture.
        boxes: see :func:`~.boxes.clean_boxes`.
        pipeline: the config's.
        keep_image: hand the picture out with the result.
        unusable: see :func:`~.boxes.clean_boxes`.

    Raises:
        ConfigError: the boxes are no boxes.
        ImageDecodeError: the picture is too small.
    """
    size = frame.image.shape[1::-1]
    boxes = clean_boxes(boxes, size, unusable)
    nothing = np.zeros((len(boxes), 0))
    result = InferenceResult(
        source=frame.source,
        frame=frame.number,
        image_size=tuple(size),
        keypoints=nothing[..., None],
        confidence=nothing,
        visibility=nothing,
        boxes=boxes,
        notes=frame.notes,
        image=frame.image if keep_image else None,
    )
    return Task(tuple(pipeline.pack(frame.image, box) for box in boxes), result)


def predict_tasks(
    model: nn.Module,
    support: Support,
    tasks: Iterable[Task],
    batch_size: int,
    lock: AbstractContextManager,
) -> Iterator[InferenceResult]:
    """Predict pictures in their order, holding about one batch of them in memory.

    Args:
        model: a model with ``encode_instances`` and ``predict_from_features``, as
            :class:`~cape_mm.models.CAPE` has them.
        support: what to look for.
        tasks: pictures with their instances.
        batch_size: instances per pass.
        lock: held while the model runs.

    Raises:
        NonFinitePredictionError: a prediction is NaN or infinite.
    """
    waiting: list[Task] = []
    num_instances = num_pixels = 0
    for task in tasks:
        waiting.append(task)
        num_instances += len(task.packed)
        num_pixels += task.held_pixels
        if num_instances >= batch_size or num_pixels >= MAX_HELD_PIXELS:
            yield from _predict(model, support, waiting, batch_size, lock)
            waiting, num_instances, num_pixels = [], 0, 0
    yield from _predict(model, support, waiting, batch_size, lock)


def _predict(
    model: nn.Module,
    support: Support,
    tasks: list[Task],
    batch_size: int,
    lock: AbstractContextManager,
) -> Iterator[InferenceResult]:
    packed = [one for task in tasks for one in task.packed]
    names = [task.result.source for task in tasks for _ in task.packed]
    num_keypoints = support.category.num_keypoints
    keypoints = np.zeros((len(packed), num_keypoints, 2))
    confidence = np.zeros((len(packed), num_keypoints))
    visibility = np.full((len(packed), num_keypoints), np.nan)
    for start in range(0, len(packed), batch_size):
        rows = slice(start, start + batch_size)
        with lock:
            found = _predict_batch(model, support, packed[rows], names[rows])
        keypoints[rows] = found.keypoints_orig
        confidence[rows] = found.keypoint_scores
        if 'keypoints_visible' in found:
            visibility[rows] = found.keypoints_visible
    start = 0
    for task in tasks:
        rows = slice(start, start + len(task.packed))
        start = rows.stop
        yield replace(
            task.result,
            keypoints=keypoints[rows],
            confidence=confidence[rows],
            visibility=visibility[rows],
        )


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
