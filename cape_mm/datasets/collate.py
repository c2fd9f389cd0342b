"""Batches of episodes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.registry import FUNCTIONS
from torch.utils.data import get_worker_info

from ..structures import ImageStack, PackedSamples


@FUNCTIONS.register_module()
def collate_episodes(items: Sequence[dict]) -> dict:
    """Collate data set items so that a batch travels as two tensors.

    The result reads like that of MMEngine's ``pseudo_collate``:
    ``inputs['support'][i]`` are the images of episode ``i``.

    Args:
        items: what :class:`MP100EpisodeDataset` returns, B of them.

    Returns:
        ``inputs`` with :class:`ImageStack` ``support`` and ``query``, and
        ``data_samples``, a list of B; out of a loader's worker, what reads like one
        (:class:`PackedSamples`).
    """
    inputs = [item['inputs'] for item in items]
    samples = [item['data_samples'] for item in items]
    return dict(
        inputs=dict(
            support=_stack([part['support'] for part in inputs]),
            query=_stack([part['query'] for part in inputs]),
        ),
        data_samples=samples if get_worker_info() is None else PackedSamples(samples),
    )


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
