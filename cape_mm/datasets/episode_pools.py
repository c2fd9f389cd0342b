"""Is there enough of a category to draw an episode from, and what would be?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import accumulate

InstanceIds = Sequence[tuple[int, int]]
"""Annotation id and image id of every usable instance of a category."""

NUM_SHOWN = 5
"""Categories that a message names."""


def most_queries(pool: InstanceIds, num_shots: int, distinct_images: bool) -> int:
    """Queries that every draw of so many supports leaves.

    Args:
        pool: instances of a category.
        num_shots: S.
        distinct_images: a query never shares an image with a support.
    """
    if not distinct_images:
        return max(len(pool) - num_shots, 0)
    # at worst the supports lie on the fullest images
    return sum(_per_image(pool)[num_shots:])


def most_shots(pool: InstanceIds, num_queries: int, distinct_images: bool) -> int:
    """Supports with which every draw leaves so many queries; 0 if none does."""
    if not distinct_images:
        return max(len(pool) - num_queries, 0)
    spare = list(accumulate(reversed(_per_image(pool))))
    return sum(count >= num_queries for count in spare[:-1])


def largest_fit(
    pools: Collection[InstanceIds],
    num_shots: int,
    num_queries: int,
    distinct_images: bool,
) -> str:
    """Sentence about the largest episodes that all categories allow.

    Args:
        pools: instances of every category that has to fit.
        num_shots: S that was asked for, too many with ``num_queries``.
        num_queries: Q that was asked for.
        distinct_images: a query never shares an image with a support.

    Returns:
        The sentence after a space; empty where no such number fits all.
    """
    shots = min(most_shots(pool, num_queries, distinct_images) for pool in pools)
    queries = min(most_queries(pool, num_shots, distinct_images) for pool in pools)
    fits = []
    if 0 < shots < num_shots:
        fits.append(f'num_shots={shots} with num_queries={num_queries}')
    if 0 < queries < num_queries:
        fits.append(f'num_queries={queries} with num_shots={num_shots}')
    return f' The largest that fits all: {" or ".join(fits)}.' if fits else ''


def name_some(problems: Sequence[str]) -> str:
    """The first few of many problems, and the number of the others."""
    text = '; '.join(problems[:NUM_SHOWN])
    num_more = len(problems) - NUM_SHOWN
    return f'{text}; and {num_more} more categories' if num_more > 0 else text


def _per_image(pool: InstanceIds) -> list[int]:
    """Instances of every image, the fullest first."""
    counts = Counter(img_id for _, img_id in pool)
    return sorted(counts.values(), reverse=True)
