"""A batch of episodes: what a loader's worker makes of it, and what a model sees.

Between a worker and the training process every tensor costs a system call of its own,
and what the training process computes itself keeps the GPU waiting. So images travel as
one tensor, labels padded and stacked, and the data samples as bytes that are unpacked
only where someone looks at them.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .episode_data_sample import EpisodeDataSample


@dataclass(frozen=True)
class EpisodeInputs:
    """A batch of B episodes with N queries in all.

    Queries of all episodes are stacked in one dimension, so episodes may differ in
    their number of queries; ``query_to_episode`` leads every query to its own support.

    Attributes:
        support_images: normalised, float (B, S, 3, H, W).
        query_images: normalised, float (N, 3, H, W).
        support_keypoints: (x, y) in [0, 1] of the crop, float (B, S, K, 2); zero where
            not visible.
        support_visible: keypoint is visible in that shot, bool (B, S, K).
        hops: graph distance on the skeleton, int64 (B, K, K), ``UNREACHABLE`` without
            a path.
        query_to_episode: row of each query's episode, int64 (N,).
        num_steps: largest number of support-visible keypoints in the batch: a decoder
            needs no more steps. A plain int, so no device has to be waited for.
        features: what was kept of images that a model encoded before; there are no
            images then.
    """

    support_images: torch.Tensor
    query_images: torch.Tensor
    support_keypoints: torch.Tensor
    support_visible: torch.Tensor
    hops: torch.Tensor
    query_to_episode: torch.Tensor
    num_steps: int
    features: Any = None

    @property
    def is_known(self) -> torch.Tensor:
        """Keypoint is visible in at least one shot, bool (B, K); padding is False."""
        return self.support_visible.any(dim=1)

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Those that every batch has, in the order of the constructor."""
        return (
            self.support_images,
            self.query_images,
            self.support_keypoints,
            self.support_visible,
            self.hops,
            self.query_to_episode,
        )


def copy_without_waiting(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on a device.

    From memory that is not page-locked, a copy to a GPU waits until the GPU has done
    all that it was told before.
    """
    if device.type == 'cuda' and tensor.device.type == 'cpu':
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def copy_tensors(values: dict, device: torch.device) -> dict:
    """The same with its tensors on a device, see :func:`copy_without_waiting`."""
    return {
        name: copy_without_waiting(value, device)
        if isinstance(value, torch.Tensor)
        else value
        for name, value in values.items()
    }


QueryLabels = tuple[np.ndarray, ...]
"""See :class:`PackedSamples`."""


class ImageStack:
    """Images of several episodes as one tensor that still reads like a list.

    It is no ``Sequence``: the loaders of older torch versions would pin the parts of
    one instead of calling :meth:`pin_memory`.

    Args:
        images: all images, uint8 (sum of counts, 3, H, W).
        counts: images of each episode; 0 is allowed.

    Raises:
        ValueError: the counts don't add up to the number of images.
    """

    def __init__(self, images: torch.Tensor, counts: Sequence[int]) -> None:
        if sum(counts) != len(images):
            raise ValueError(
                f'counts {list(counts)} add up to {sum(counts)}, but there are '
                f'{len(images)} images'
            )
        self.images = images
        self.counts = tuple(counts)

    @classmethod
    def from_list(cls, parts: Sequence[torch.Tensor]) -> ImageStack:
        """Stack the images of each episode, (n_i, 3, H, W), n_i may be 0."""
        filled = [part for part in parts if len(part)]
        images = torch.cat(filled) if filled else torch.zeros(0, 3, 0, 0).byte()
        return cls(images, [len(part) for part in parts])

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Images of one episode, a view (counts[index], 3, H, W)."""
        index = range(len(self))[index]
        start = sum(self.counts[:index])
        return self.images[start : start + self.counts[index]]

    def pin_memory(self) -> ImageStack:
        """The same images in page-locked memory; the data loader calls it."""
        return ImageStack(self.images.pin_memory(), self.counts)


class PackedSamples:
    """Reads like a list of data samples; once pickled, unpacked when first looked at.

    The loader's thread that moves batches to page-locked memory would unpack them while
    the training thread wants Python for itself. It is no ``Sequence`` and no ``list``,
    or that thread would look at every sample all the same.

    Attributes:
        query_labels: labels of all queries for the loss, made in the worker: (x, y) in
            [0, 1] of the crop float32 (N, K, 2) and visibility bool (N, K); nothing
            where there is no query.
        redrawn: the entries of all samples' ``redrawn``, each with its category.

    Args:
        samples: data samples of B episodes.
        query_labels: see above.
    """

    def __init__(
        self,
        samples: Sequence[EpisodeDataSample],
        query_labels: QueryLabels = (),
    ) -> None:
        self._number = len(samples)
        self.query_labels = query_labels
        self.redrawn = list_redrawn(samples)
        self._packed = b''
        self._samples: list[EpisodeDataSample] | None = list(samples)

    def __reduce__(self) -> tuple:
        packed = self._packed
        if self._samples is not None:  # they may have been changed since
            packed = pickle.dumps(self._samples, pickle.HIGHEST_PROTOCOL)
        return _unpacked_later, (packed, self._number, self.query_labels, self.redrawn)

    @property
    def samples(self) -> list[EpisodeDataSample]:
        """The data samples themselves."""
        if self._samples is None:
            self._samples, self._packed = pickle.loads(self._packed), b''
        return self._samples

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: int | slice):
        return self.samples[index]

    def __iter__(self) -> Iterator[EpisodeDataSample]:
        return iter(self.samples)


def _unpacked_later(
    packed: bytes, number: int, query_labels: QueryLabels, redrawn: list[dict]
) -> PackedSamples:
    later = PackedSamples((), query_labels)
    later._packed, later._number, later._samples = packed, number, None
    later.redrawn = redrawn
    return later


def list_redrawn(samples: Sequence[EpisodeDataSample]) -> list[dict]:
    """Instances that others stand in for: ``dict(ann_id, reason, category)``."""
    return [
        dict(entry, category=f'{sample.category_id} ({sample.category_name})')
        for sample in samples
        for entry in getattr(sample, 'redrawn', ())
    ]
