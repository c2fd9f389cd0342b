"""The record that travels with one episode from the data set to the metric."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from mmengine.structures import BaseDataElement, InstanceData


def _instances(name: str, doc: str) -> property:
    """A property that accepts :class:`InstanceData` only."""
    return property(
        lambda self: getattr(self, name),
        lambda self, value: self.set_field(value, name, dtype=InstanceData),
        lambda self: delattr(self, name),
        doc,
    )


class EpisodeDataSample(BaseDataElement):
    """Annotations, meta data and predictions of one episode.

    Convention:
        - coordinates are (x, y); ``keypoints`` in pixels of the network input,
          ``keypoints_orig`` in pixels of the source image
        - boxes are (x, y, w, h) in source-image pixels, cleaned
        - affine maps are 2x3 and act on column vectors (x, y, 1)

    ``gt_instances`` (N = Q) and ``support_instances`` (N = S) each hold

    - ``keypoints`` float32 (N, K, 2), ``keypoints_orig`` float32 (N, K, 2),
      ``is_visible`` bool (N, K): what a model may use; in training also inside the
      crop (``PackInstance.hide_outside``),
      ``is_visible_orig`` bool (N, K): labelled visible in the source image,
      ``visibility`` uint8 (N, K): COCO's v, 1 hidden, 2 seen, if told
    - ``bboxes`` float32 (N, 4), ``ann_ids`` and ``img_ids`` int64 (N,)

    ``pred_instances`` (N = Q) holds ``keypoints``, ``keypoints_orig``,
    ``keypoint_scores`` float32 (Q, K), the confidence, and, where the head tells them,
    ``keypoints_visible`` float32 (Q, K), the probability that the query shows them, and
    ``matched_keypoints_orig`` float32 (Q, K, 2), the floor of a matcher that has no
    parameters.

    Meta data: ``category_id``, ``category_name``, ``supercategory``, ``skeleton`` (list
    of index pairs), ``num_keypoints``, ``episode_index``, ``input_size`` (w, h),
    ``query_slots`` (place of every loaded query in the episode's list),
    ``query_img_paths``, ``support_img_paths``, ``crop_to_image`` float64 (Q, 2, 3)
    which maps network-input pixels of each query to its source image,
    ``dropped_pairs``, a list of ``dict(slot, ann_id, reason)``, ``redrawn``, a list of
    ``dict(ann_id, reason)`` of instances that others stand in for, and ``episode``, the
    :class:`~cape_mm.structures.Episode` as it was drawn.
    """

    def __reduce__(self) -> tuple:
        """Pickle labels by value.

        A tensor that leaves a data loader's worker is handed over as a shared file of
        its own, which costs more than the few numbers of a label.
        """
        state = {name: _plain_fields(value) for name, value in vars(self).items()}
        return _restore, (type(self), state)

    gt_instances = _instances('_gt_instances', 'Queries with their labels, N = Q.')
    support_instances = _instances('_support_instances', 'Supports, N = S.')
    pred_instances = _instances('_pred_instances', 'Predictions, N = Q.')


class _PickledArray(NamedTuple):
    """Marks an array that was a tensor."""

    array: np.ndarray


class _PickledElement(NamedTuple):
    """Marks the attributes of a data element."""

    kind: type
    state: dict


def _plain_fields(value: object) -> object:
    if isinstance(value, BaseDataElement):
        state = {name: _plain(part) for name, part in vars(value).items()}
        return _PickledElement(type(value), state)
    return _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, torch.Tensor) and value.device.type == 'cpu':
        return _PickledArray(value.detach().numpy())
    return value


def _restore(kind: type, state: dict) -> BaseDataElement:
    # the attributes as they were: set one by one, MMEngine would copy and check each,
    # half a millisecond per episode in the process that feeds the GPU
    element = kind.__new__(kind)
    vars(element).update({name: _original(value) for name, value in state.items()})
    return element


def _original(value: object) -> object:
    if isinstance(value, _PickledElement):
        return _restore(*value)
    return torch.from_numpy(value.array) if isinstance(value, _PickledArray) else value
