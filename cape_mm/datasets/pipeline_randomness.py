"""Does a pipeline show an instance alike in every episode?"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable

import numpy as np
import torch

from ..structures import Episode
from .instance_view import ITSELF
from .mp100_dataset import MP100EpisodeDataset

RANDOM_KEYS = ('rng', 'episode_seed')
"""Where transforms find the episode's own randomness."""


def find_randomness(dataset: MP100EpisodeDataset, ann_id: int) -> list[str]:
    """Names of the transforms that draw random numbers for an instance.

    Noticed are reads of the instance's own generator or seed and any use of the global
    generators. Such a pipeline shows one instance differently in every episode.

    Args:
        dataset: the data set, whose pipeline is run once.
        ann_id: an instance that loads.

    Raises:
        InstanceLoadError: the instance does not load.
    """
    probe = copy.copy(dataset)
    probe.pipeline = _Probe(dataset.pipeline.transforms)
    category_id = dataset.get_instance(ann_id).category_id
    probe._load_instance(ann_id, Episode(category_id, (ann_id,), (ITSELF,)))
    return probe.pipeline.random_transforms


class _Watched(dict):
    """The dictionary of one instance, which notes reads of its randomness."""

    is_read = False

    def __getitem__(self, key):
        self.is_read |= key in RANDOM_KEYS
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.is_read |= key in RANDOM_KEYS
        return super().get(key, default)


class _Probe:
    """Runs transforms one by one and notes which of them are random."""

    def __init__(self, transforms: Iterable) -> None:
        self.transforms = list(transforms)
        self.random_transforms: list[str] = []

    def __call__(self, results: dict) -> dict:
        for transform in self.transforms:
            watched, before = _Watched(results), _global_states()
            results = transform(watched)
            if watched.is_read or before != _global_states():
                self.random_transforms.append(type(transform).__name__)
        return results


def _global_states() -> tuple:
    numpy_state = np.random.get_state()  # noqa: NPY002
    return (
        random.getstate(),
        (numpy_state[1].tobytes(), *numpy_state[2:]),
        torch.get_rng_state().numpy().tobytes(),
    )
