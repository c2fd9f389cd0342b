"""What a synthetic data set is made of: sizes, shares and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cape_mm.utils.value_checks import check_at_least, check_choice

SPLITS = ('train', 'val', 'test')
GENERATOR = 'cape_mm.datasets.synthetic'
VERSION = 1  # raise it whenever the same seed gives other pictures or labels


@dataclass(frozen=True)
class SyntheticSpec:
    """Everything that decides the bytes of a data set.

    Attributes:
        size: name of the entry of ``SIZES`` that it started from.
        seed: seed of the data set, >= 0.
        num_categories: number of categories per split, keys ``SPLITS``.
        instances_per_category: instances per category, >= 2.
        image_size: shorter side of the pictures in pixels, >= 32.
        double_share: share of pictures that hold two instances, in [0, 0.5].
    """

    size: str
    seed: int
    num_categories: Mapping[str, int]
    instances_per_category: int
    image_size: int
    double_share: float = 0.05

    def category_ids(self) -> dict[str, list[int]]:
        """Ids 1..N dealt out to the splits at random, sorted within a split."""
        counts = [self.num_categories[split] for split in SPLITS]
        ids = np.random.default_rng([self.seed, 0, 1]).permutation(sum(counts)) + 1
        groups = np.split(ids, np.cumsum(counts)[:-1])
        return {s: sorted(int(i) for i in g) for s, g in zip(SPLITS, groups)}

    def info(self, split: str) -> dict[str, Any]:
        """The ``info`` entry of a split's annotation file."""
        return dict(
            description=f'Synthetic MP-100, size {self.size}, {split}',
            generator=GENERATOR,
            version=VERSION,
            size=self.size,
            seed=self.seed,
            split=split,
            num_categories=dict(self.num_categories),
            instances_per_category=self.instances_per_category,
            image_size=self.image_size,
            double_share=self.double_share,
        )


SIZES = {
    'tiny': SyntheticSpec('tiny', 0, dict(train=70, val=6, test=12), 40, 128),
    'standard': SyntheticSpec('standard', 0, dict(train=70, val=10, test=20), 120, 256),
}


def make_spec(size: str, seed: int, overrides: Mapping[str, Any]) -> SyntheticSpec:
    """The spec of a named size with some of its numbers replaced.

    Raises:
        ConfigError: there is no such size, or the seed is below 0.
    """
    check_choice('size', size, sorted(SIZES))
    check_at_least('seed', seed, 0)
    return replace(SIZES[size], seed=seed, **overrides)
