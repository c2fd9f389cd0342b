"""From a collated batch of episodes to the tensors that a model sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor
from mmpose.registry import MODELS

from ..errors import ConfigError, EmptyAnnotationError
from ..structures import EpisodeDataSample, EpisodeInputs, ImageStack
from ..structures.device_copies import copy_without_waiting
from ..structures.geometry import pixels_to_unit
from ..structures.skeleton import UNREACHABLE, hop_distances
from ..utils.value_checks import check_at_least, check_number, check_positive

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

PREPARED_KEY = 'prepared'
"""Where a batch has what was made of it before its step began."""


@MODELS.register_module()
class EpisodeDataPreprocessor(BaseDataPreprocessor):
    """Moves, normalises, stacks and pads a batch of episodes.

    Keypoints are padded to the largest K of the batch; padding is masked. Queries of
    all episodes are stacked, so every query goes with its own support whatever the
    number of queries per episode. Episodes of which nothing could be loaded stay in
    ``data_samples`` and take no part in ``inputs``.

    Queries are counted by ``query_slots``: labels are not read at all, so nothing in
    ``inputs`` comes from them and prediction works without ``gt_instances``.

    Args:
        mean: subtracted per channel, in the order that the model sees.
        std: divides per channel.
        bgr_to_rgb: images come as BGR and the model wants RGB.
        non_blocking: copy images to the device without waiting.
        keypoint_multiple: pad K to a multiple of this, so that batches have few shapes,
            for CUDA graphs.

    Raises:
        ConfigError: a value can't be.
    """

    def __init__(
        self,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        bgr_to_rgb: bool = True,
        non_blocking: bool = True,
        keypoint_multiple: int = 1,
    ) -> None:
        super().__init__(non_blocking)
        check_at_least('keypoint_multiple', keypoint_multiple, 1)
        _check_channels('mean', mean, check_number)
        _check_channels('std', std, check_positive)
        self.keypoint_multiple = keypoint_multiple
        self.bgr_to_rgb = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: collated batch: ``inputs`` with ``support`` and ``query``, each an
                :class:`ImageStack` or a list of uint8 BGR images, (S, 3, H, W) and
                (Q, 3, H, W) per episode, and ``data_samples``. Where both are the same
                object, the images are normalised once.
            training: not used: both phases see the same.

        Returns:
            ``inputs``: :class:`EpisodeInputs`, or None where no episode could be
            loaded; ``data_samples``: all of them.

        Raises:
            EmptyAnnotationError: no support of an episode shows any keypoint.
        """
        samples: list[EpisodeDataSample] = data['data_samples']
        kept = [i for i, sample in enumerate(samples) if len(sample.query_slots)]
        if not kept:
            return dict(inputs=None, data_samples=samples)
        loaded = [samples[i] for i in kept]
        given = data['inputs']
        supports = queries = self._normalise(_stack(given['support']))
        if given['query'] is not given['support']:
            queries = self._normalise(_stack(given['query']))
        # after the images: a GPU is busy with them while the CPU does this
        tensors, num_steps = _collate_supports(loaded, self.keypoint_multiple)
        graph = {
            name: copy_without_waiting(value, self.mean.device)
            for name, value in tensors.items()
        }
        counts = [len(sample.support_instances) for sample in loaded]
        inputs = EpisodeInputs(
            support_images=_pad_shots(supports, counts),
            query_images=queries,
            num_steps=num_steps,
            **graph,
        )
        return dict(inputs=inputs, data_samples=samples)

    def prepare_ahead(self, data: dict) -> dict:
        """Prepare a batch of training before its step begins.

        Returns:
            The batch, for which a call has nothing left to do.
        """
        return data | {PREPARED_KEY: self(data, training=True)}

    def __call__(self, data: dict, training: bool = False) -> dict:
        """What :meth:`forward` makes of a batch, or made of it in advance."""
        if PREPARED_KEY in data:
            return data[PREPARED_KEY]
        return super().__call__(data, training)

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        images = self.cast_data(images)
        if self.bgr_to_rgb:
            images = images.flip(-3)
        return (images.float() - self.mean) / self.std


def _check_channels(
    name: str, values: Sequence[float], check: Callable[[str, object], None]
) -> None:
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) not in (1, 3):
        raise ConfigError(
            f'{name} must be a list of 3 numbers, one per channel, or of 1, got '
            f'{values!r}'
        )
    for value in values:
        check(f'every {name}', value)


def _stack(images: ImageStack | list[torch.Tensor]) -> torch.Tensor:
    """Images of all episodes in one tensor; dropped episodes have none."""
    if not isinstance(images, ImageStack):
        images = ImageStack.from_list(images)
    return images.images


def _pad_shots(images: torch.Tensor, counts: list[int]) -> torch.Tensor:
    """(sum of counts, 3, H, W) -> (B, S, 3, H, W), zero where an episode has fewer."""
    num_shots = max(counts)
    if min(counts) == num_shots:
        return images.unflatten(0, (len(counts), num_shots))
    batch = images.new_zeros(len(counts), num_shots, *images.shape[1:])
    for row, part in enumerate(images.split(counts)):
        batch[row, : len(part)] = part
    return batch


def _collate_supports(
    samples: list[EpisodeDataSample], multiple: int
) -> tuple[dict[str, torch.Tensor], int]:
    """Support keypoints and graphs of B episodes, padded to a common S and K.

    Returns:
        Fields of :class:`EpisodeInputs`, and its ``num_steps``.
    """
    num_shots = max(sample.support_instances.is_visible.shape[0] for sample in samples)
    num_keypoints = max(sample.num_keypoints for sample in samples)
    num_keypoints += -num_keypoints % multiple
    size = (len(samples), num_shots, num_keypoints)
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
    arrays = dict(
        support_keypoints=points,
        support_visible=is_visible,
        hops=hops,
        query_to_episode=np.repeat(np.arange(len(samples)), num_queries),
    )
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return tensors, int(is_visible.any(axis=1).sum(axis=1).max())
