"""Is there enough of a category to draw an episode from, and what would be?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mmengine.logging import print_log

from ..errors import ImpossibleEpisodeError
from .mp100_dataset import MP100EpisodeDataset

InstanceIds = Sequence[tuple[int, int]]
"""Annotation id and image id of every usable instance of a category."""

NUM_SHOWN = 5
"""Categories that a message names."""


@dataclass(frozen=True)
class EpisodeSize:
    """What an episode takes from a category.

    Attributes:
        num_shots: supports, S (the largest number where it varies).
        num_queries: queries, Q.
        distinct_images: a query never shares an image with a support.
    """

    num_shots: int
    num_queries: int
    distinct_images: bool = True

    def fits(self, pool: InstanceIds) -> bool:
        """Whether every draw of S supports leaves Q queries."""
        return self.most_queries(pool) >= self.num_queries

    def most_queries(self, pool: InstanceIds) -> int:
        """Queries that every draw of S supports leaves."""
        if not self.distinct_images:
            return max(len(pool) - self.num_shots, 0)
        # at worst the supports lie on the fullest images
        return sum(_per_image(pool)[self.num_shots :])

    def most_shots(self, pool: InstanceIds) -> int:
        """Supports with which every draw leaves Q queries; 0 if none does."""
        if not self.distinct_images:
            return max(len(pool) - self.num_queries, 0)
        spare = list(accumulate(reversed(_per_image(pool))))
        return sum(count >= self.num_queries for count in spare[:-1])

    def suggest(self, pools: Collection[InstanceIds]) -> str:
        """Sentence, after a space, about smaller episodes that all pools allow."""
        shots = min(map(self.most_shots, pools))
        queries = min(map(self.most_queries, pools))
        fits = []
        if 0 < shots < self.num_shots:
            fits.append(f'num_shots={shots} with num_queries={self.num_queries}')
        if 0 < queries < self.num_queries:
            fits.append(f'num_queries={queries} with num_shots={self.num_shots}')
        return f' The largest that fits all: {" or ".join(fits)}.' if fits else ''

    def __str__(self) -> str:
        text = f'num_shots + num_queries = {self.num_shots} + {self.num_queries}'
        if self.distinct_images:
            text += ', the queries on other images than the supports'
        return text


def usable_pools(
    dataset: MP100EpisodeDataset,
    size: EpisodeSize,
    skip_small: bool,
    max_categories: int | None = None,
    source_name: str = '',
) -> dict[int, InstanceIds]:
    """Instances by category, of the categories that episodes can be drawn from.

    A category that the files have no annotations of is left out without a word.

    Args:
        dataset: has the instances.
        size: of the episodes.
        skip_small: leave categories out that are too small, with a warning.
        max_categories: stop after so many.
        source_name: name of the data set among several, for messages.

    Raises:
        ImpossibleEpisodeError: a category is too small, or all are.
    """
    where = f'source {source_name!r}: ' if source_name else ''
    pools, problems, seen = {}, [], []
    for category_id, pool in dataset.instances_by_category.items():
        if len(pools) == max_categories:
            break
        num_left_out = dataset.num_without_image[category_id]
        if not pool and not num_left_out:
            continue
        seen.append(pool)
        if size.fits(pool):
            pools[category_id] = pool
        else:
            name = dataset.categories[category_id].name
            problems.append(
                f'category {category_id} ({name!r}) has '
                f'{_describe_pool(pool, num_left_out, size)}'
            )
    if not seen:
        raise ImpossibleEpisodeError(
            f'{where}{dataset.ann_file} has no usable instance'
        )
    if not problems:
        return pools
    message = (
        f'{where}{dataset.ann_file}: {name_some(problems)}, but an episode needs {size}'
    )
    if not skip_small or not pools:
        raise ImpossibleEpisodeError(
            f'{message}. Lower one of them, drop the category from the file, or set '
            f'skip_small_categories=True in the sampler.{size.suggest(seen)}'
        )
    print_log(f'{message}: left out', logger='current', level=logging.WARNING)
    return pools


def _describe_pool(pool: InstanceIds, num_left_out: int, size: EpisodeSize) -> str:
    text = f'{len(pool)} usable instances'
    if size.distinct_images:
        text += f' on {len({img_id for _, img_id in pool})} images'
    if num_left_out:
        text += f' (the image files of {num_left_out} more are missing)'
    return text


def name_some(problems: Sequence[str]) -> str:
    """The first few of many problems, and the number of the others."""
    text = '; '.join(problems[:NUM_SHOWN])
    num_more = len(problems) - NUM_SHOWN
    return f'{text}; and {num_more} more categories' if num_more > 0 else text


def _per_image(pool: InstanceIds) -> list[int]:
    """Instances of every image, the fullest first."""
    counts = Counter(img_id for _, img_id in pool)
    return sorted(counts.values(), reverse=True)
