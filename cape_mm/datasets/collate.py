"""Batches of episodes: everything that needs no GPU is done in the loader's worker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.registry import FUNCTIONS
from torch.utils.data import get_worker_info

from ..errors import EmptyAnnotationError
from ..structures import EpisodeDataSample, ImageStack, PackedSamples
from ..structures.episode_batch import QueryLabels
from ..structures.geometry import pixels_to_unit
from ..structures.skeleton import UNREACHABLE, hop_distances
from ..utils.value_checks import check_at_least


@FUNCTIONS.register_module()
def collate_episodes(items: Sequence[dict], keypoint_multiple: int = 1) -> dict:
    """Collate data set items into few pieces, padded and ready to be copied.

    Episodes of which nothing could be loaded stay in ``data_samples`` and take no part
    in ``graph``.

    Args:
        items: what :class:`MP100EpisodeDataset` returns, B of them.
        keypoint_multiple: pad K to a multiple of this, so that batches have few shapes,
            for CUDA graphs.

    Returns:
        ``inputs`` with :class:`ImageStack` ``support`` and ``query``
        (``inputs['support'][i]`` are the images of episode ``i``) and ``graph``, what
        :func:`collate_supports` gives; ``data_samples``, :class:`PackedSamples`.

    Raises:
        EmptyAnnotationError: no support of an episode shows any keypoint.
        ConfigError: ``keypoint_multiple`` is below 1.
    """
    check_at_least('keypoint_multiple', keypoint_multiple, 1)
    inputs = [item['inputs'] for item in items]
    samples = [item['data_samples'] for item in items]
    graph, labels = collate_supports(samples, keypoint_multiple), ()
    if graph is not None and all('gt_instances' in sample for sample in samples):
        labels = collate_queries(samples, graph['hops'].shape[-1])
    return dict(
        inputs=dict(
            support=_stack([part['support'] for part in inputs]),
            query=_stack([part['query'] for part in inputs]),
            graph=graph,
        ),
        data_samples=PackedSamples(samples, labels),
    )


def loaded_samples(samples: Sequence[EpisodeDataSample]) -> list[EpisodeDataSample]:
    """The episodes of which a query could be loaded."""
    return [sample for sample in samples if len(sample.query_slots)]


def collate_supports(
    samples: Sequence[EpisodeDataSample], multiple: int = 1
) -> dict | None:
    """Support keypoints and graphs of the loaded episodes, padded to common S and K.

    Padding is masked. Queries are counted by ``query_slots``: their labels are not read
    at all, so nothing of this comes from them.

    Args:
        samples: a batch of episodes.
        multiple: pad K to a multiple of this, so that batches have few shapes.

    Returns:
        Fields of :class:`EpisodeInputs`, all but the images, and ``num_shots``, the
        supports of each episode; None where no episode could be loaded.

    Raises:
        EmptyAnnotationError: no support of an episode shows any keypoint.
    """
    samples = loaded_samples(samples)
    if not samples:
        return None
    counts = tuple(len(sample.support_instances) for sample in samples)
    num_keypoints = max(sample.num_keypoints for sample in samples)
    num_keypoints += -num_keypoints % multiple
    size = (len(samples), max(counts), num_keypoints)
    # NumPy: for these few numbers per episode every call of PyTorch costs more
    points = np.zeros((*size, 2), np.float32)
    is_visible = np.zeros(size, bool)
    hops = np.full((size[0], num_keypoints, num_keypoints), UNREACHABLE)
    for row, sample in enumerate(samples):
        support = sample.support_instances
        visible = support.is_visible.cpu().numpy()
        shots, k = visible.shape
        pixels = support.keypoints.cpu().numpy()
        points[row, :shots, :k] = pixels_to_unit(pixels, sample.input_size)
        is_visible[row, :shots, :k] = visible
        hops[row, :k, :k] = hop_distances(sample.skeleton, k)
        if not visible.any():
            raise EmptyAnnotationError(
                f'the support of an episode of category {sample.category_id} '
                f'({sample.get("category_name")!r}) shows no keypoint: mark one at '
                f'least.'
            )
    # evaluation keeps labelled points outside the crop: take the nearest border
    np.clip(points, 0, 1, out=points)
    # what an invisible keypoint's coordinates say must not reach the model
    points[~is_visible] = 0
    num_queries = [len(sample.query_slots) for sample in samples]
    owners = np.repeat(np.arange(len(samples)), num_queries)
    return dict(
        support_keypoints=torch.from_numpy(points),
        support_visible=torch.from_numpy(is_visible),
        hops=torch.from_numpy(hops),
        query_to_episode=torch.from_numpy(owners),
        num_steps=int(is_visible.any(axis=1).sum(axis=1).max()),
        num_shots=counts,
    )


def collate_queries(
    samples: Sequence[EpisodeDataSample], num_keypoints: int
) -> QueryLabels:
    """Labels of all loaded queries for the loss, see :class:`PackedSamples`.

    Args:
        samples: a batch of episodes.
        num_keypoints: the batch's K, padding included.
    """
    samples = loaded_samples(samples)
    num = sum(len(sample.gt_instances) for sample in samples)
    points = np.zeros((num, num_keypoints, 2), np.float32)
    is_visible = np.zeros((num, num_keypoints), bool)
    row = 0
    for sample in samples:
        truth = sample.gt_instances
        end, k = row + len(truth), sample.num_keypoints
        pixels = truth.keypoints.cpu().numpy()
        points[row:end, :k] = pixels_to_unit(pixels, sample.input_size)
        is_visible[row:end, :k] = truth.is_visible.cpu().numpy()
        row = end
    points[~is_visible] = 0
    return points, is_visible


def _stack(parts: list[torch.Tensor]) -> ImageStack:
    """Images of each episode, (n_i, 3, H, W), as one tensor.

    A loader's worker writes them where the training process will read them: what it
    sends would be copied into shared memory otherwise.
    """
    filled = [part for part in parts if len(part)]
    if get_worker_info() is None or not filled:
        return ImageStack.from_list(parts)
    counts = [len(part) for part in parts]
    num_values = sum(part.numel() for part in filled)
    shared = filled[0].untyped_storage()._new_shared(num_values)  # uint8: bytes
    images = torch.empty(0, dtype=torch.uint8).set_(shared)
    images = images.view(sum(counts), *filled[0].shape[1:])
    return ImageStack(torch.cat(filled, out=images), counts)
