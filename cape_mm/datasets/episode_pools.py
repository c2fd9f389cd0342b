"""What episodes can be drawn from, and how many pairs a full draw has.

A metric sees only what the loader brings. A category that the sampler left out never
reaches it, and a result without it would look complete. So the evaluation loops hand
the sampler's plan of a full draw to the metrics, as a part of ``dataset_meta``.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.logging import print_log

from ..errors import ImpossibleEpisodeError
from ..structures import Episode
from .mp100_dataset import MP100EpisodeDataset

InstanceIds = Sequence[tuple[int, int]]
"""Annotation id and image id of every usable instance of a category."""

NUM_SHOWN = 5
"""Categories that a message names."""
PLAN_KEY = 'evaluation_plan'
"""Key of the plan in ``dataset_meta``."""

EvaluationPlan = dict[int, dict[str, Any]]
"""By category id: every category of which the annotation file has usable instances,
with its ``name``; ``num_pairs``, its support-query pairs; and ``left_out``, why no
episode of it is drawn, or None."""


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
        if not self.distinct_images:
            return len(pool) >= self.num_shots + self.num_queries
        # at worst the supports lie on the fullest images
        counts = sorted(Counter(img_id for _, img_id in pool).values(), reverse=True)
        return sum(counts[self.num_shots :]) >= self.num_queries

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
    where += str(dataset.ann_file)
    pools, problems = {}, []
    for category_id, pool in dataset.instances_by_category.items():
        if len(pools) == max_categories:
            break
        num_left_out = dataset.num_without_image[category_id]
        if size.fits(pool):
            pools[category_id] = pool
        elif pool or num_left_out:
            problem = (
                f'category {category_id} ({dataset.categories[category_id].name!r}) '
                f'has {len(pool)} usable instances'
            )
            if size.distinct_images:
                problem += f' on {len({img_id for _, img_id in pool})} images'
            if num_left_out:
                problem += f' (the image files of {num_left_out} more are missing)'
            problems.append(problem)
    if not pools and not problems:
        raise ImpossibleEpisodeError(f'{where} has no usable instance')
    if not problems:
        return pools
    num_more = len(problems) - NUM_SHOWN
    listed = '; '.join(problems[:NUM_SHOWN])
    listed += f'; and {num_more} more categories' if num_more > 0 else ''
    message = f'{where}: {listed}, but an episode needs {size}'
    if not skip_small or not pools:
        raise ImpossibleEpisodeError(
            f'{message}. Lower one of them, drop the category from the file, or set '
            f'skip_small_categories=True in the sampler.'
        )
    print_log(f'{message}: left out', logger='current', level=logging.WARNING)
    return pools


def make_plan(
    dataset: MP100EpisodeDataset, episodes: Iterable[Episode], reason: str
) -> EvaluationPlan:
    """Count the pairs of a full draw.

    Args:
        dataset: the data set that the episodes are of.
        episodes: the episodes of all ranks.
        reason: why categories that have instances, but no episode, were left out. They
            count as many pairs as most of the others have.

    Returns:
        The plan, in the order of the file's categories.
    """
    counts: Counter[int] = Counter()
    for episode in episodes:
        counts[episode.category_id] += len(episode.query_ids)
    usual = Counter(counts.values()).most_common(1)[0][0]
    plan: EvaluationPlan = {}
    for category_id, pool in dataset.instances_by_category.items():
        if category_id in counts or pool or dataset.num_without_image[category_id]:
            plan[category_id] = dict(
                name=str(dataset.categories[category_id].name),
                num_pairs=counts.get(category_id, usual),
                left_out=None if category_id in counts else reason,
            )
    return plan


def dataset_meta(dataset: object, sampler: object) -> dict:
    """What a metric is told about the data of an evaluation."""
    plan = getattr(sampler, 'evaluation_plan', None)
    meta = dict(getattr(dataset, 'metainfo', None) or {})
    return meta if plan is None else {**meta, PLAN_KEY: plan}
