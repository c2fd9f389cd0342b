"""What a synthetic data set is made of: sizes, shares, seeds, and their check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from cape_mm.errors import ConfigError
from cape_mm.utils.value_checks import check_at_least, check_probability

SPLITS = ('train', 'val', 'test')
GENERATOR = 'cape_mm.datasets.synthetic'
VERSION = 1  # raise it whenever the same seed gives other files

EMPTY_KINDS = (
    'no_visible_keypoint',
    'missing_bbox',
    'zero_area_bbox',
    'negative_size_bbox',
    'missing_keypoints',
    'zero_num_keypoints',
)


@dataclass(frozen=True)
class SyntheticSpec:
    """Everything that decides the bytes of a data set.

    Attributes:
        size: name of the entry of ``SIZES`` that it started from.
        seed: seed of the data set, >= 0.
        num_categories: number of categories per split, keys ``SPLITS``.
        instances_per_category: usable instances per category, >= 2.
        image_size: shorter side of the pictures in pixels, >= 32.
        empty_share: additional empty annotations as a share of the usable ones, in
            [0, 1]; at least one of every kind unless it is 0.
        double_share: share of pictures that hold two instances, in [0, 0.5].
    """

    size: str
    seed: int
    num_categories: Mapping[str, int]
    instances_per_category: int
    image_size: int
    empty_share: float = 0.03
    double_share: float = 0.05

    def num_empties(self, split: str) -> dict[str, int]:
        """Number of empty annotations of each kind in a split."""
        usable = self.num_categories[split] * self.instances_per_category
        if self.empty_share == 0:
            return dict.fromkeys(EMPTY_KINDS, 0)
        total = max(round(self.empty_share * usable), len(EMPTY_KINDS))
        each, rest = divmod(total, len(EMPTY_KINDS))
        return {kind: each + (i < rest) for i, kind in enumerate(EMPTY_KINDS)}

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
            empty_share=self.empty_share,
            empty_annotations=self.num_empties(split),
        )


SIZES = {
    'tiny': SyntheticSpec('tiny', 0, dict(train=70, val=6, test=12), 40, 128),
    'standard': SyntheticSpec('standard', 0, dict(train=70, val=10, test=20), 120, 256),
}


def make_spec(size: str, seed: int, overrides: Mapping[str, Any]) -> SyntheticSpec:
    """The spec of a named size with some of its numbers replaced.

    Raises:
        ConfigError: the size or an override is unknown, or a number is out of range.
    """
    if size not in SIZES:
        raise ConfigError(f'unknown size {size!r}; choose one of {sorted(SIZES)}.')
    known = {f.name for f in fields(SyntheticSpec)} - {'size', 'seed'}
    unknown = sorted(set(overrides) - known)
    if unknown:
        raise ConfigError(f'unknown override {unknown}; choose of {sorted(known)}.')
    spec = replace(SIZES[size], seed=seed, **overrides)
    _check(spec)
    return spec


def _check(spec: SyntheticSpec) -> None:
    counts = spec.num_categories
    if not isinstance(counts, Mapping) or sorted(counts) != sorted(SPLITS):
        raise ConfigError(
            f'num_categories must be a dict with the keys {list(SPLITS)}, '
            f'got {counts!r}.'
        )
    for split, count in counts.items():
        check_at_least(f'num_categories[{split!r}]', count, 1)
    check_at_least('seed', spec.seed, 0)
    check_at_least('instances_per_category', spec.instances_per_category, 2)
    check_at_least('image_size', spec.image_size, 32)
    check_probability('empty_share', spec.empty_share)
    check_probability('twice double_share', 2 * spec.double_share)
