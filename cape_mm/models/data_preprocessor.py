"""From a collated batch of episodes to the tensors that a model sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from mmengine.model import BaseDataPreprocessor
from mmpose.registry import MODELS

from ..errors import ConfigError
from ..structures import EpisodeInputs
from ..structures.episode_batch import copy_tensors
from ..utils.value_checks import check_number, check_positive

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

PREPARED_KEY = 'prepared'
"""Where a batch has what was made of it before its step began."""


@MODELS.register_module()
class EpisodeDataPreprocessor(BaseDataPreprocessor):
    """Copies a batch of episodes to the device and normalises its images.

    All else was done where the batch was collated. Queries of all episodes are stacked,
    so every query goes with its own support whatever the number of queries per episode.
    Labels of queries are not looked at: prediction works without ``gt_instances``.

    Args:
        mean: subtracted per channel, in the order that the model sees.
        std: divides per channel.
        bgr_to_rgb: images come as BGR and the model wants RGB.
        non_blocking: copy images to the device without waiting.

    Raises:
        ConfigError: a value can't be.
    """

    def __init__(
        self,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        bgr_to_rgb: bool = True,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(non_blocking)
        _check_channels('mean', mean, check_number)
        _check_channels('std', std, check_positive)
        self.bgr_to_rgb = bgr_to_rgb
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: what :func:`~cape_mm.datasets.collate.collate_episodes` gave. Where
                ``support`` and ``query`` are the same object, the images are normalised
                once.
            training: not used: both phases see the same.

        Returns:
            ``inputs``: :class:`EpisodeInputs`, or None where no episode could be
            loaded; ``data_samples``: all of them.

        Raises:
            ConfigError: the batch was collated by another function.
        """
        given, samples = data['inputs'], data['data_samples']
        if 'graph' not in given:
            raise ConfigError(
                "the batch was not collated by collate_fn=dict(type='collate_episodes')"
            )
        if given['graph'] is None:
            return dict(inputs=None, data_samples=samples)
        supports = queries = self._normalise(given['support'].images)
        if given['query'] is not given['support']:
            queries = self._normalise(given['query'].images)
        # after the images: a GPU is busy with them while the CPU does this
        graph = copy_tensors(given['graph'], self.mean.device)
        num_shots = graph.pop('num_shots')
        inputs = EpisodeInputs(_pad_shots(supports, num_shots), queries, **graph)
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


def _pad_shots(images: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """(sum of counts, 3, H, W) -> (B, S, 3, H, W), zero where an episode has fewer."""
    num_shots = max(counts)
    if min(counts) == num_shots:
        return images.unflatten(0, (len(counts), num_shots))
    batch = images.new_zeros(len(counts), num_shots, *images.shape[1:])
    for row, part in enumerate(images.split(list(counts))):
        batch[row, : len(part)] = part
    return batch
