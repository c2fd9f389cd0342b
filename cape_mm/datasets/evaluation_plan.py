"""How many pairs an evaluation would have on complete data, told to the metric.

A metric sees only what the loader brings. A category that the sampler left out never
reaches it, and a result without it would look complete. So the evaluation loops hand
the sampler's plan of a full draw to the metrics, as a part of ``dataset_meta``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..structures import Episode
from .mp100_dataset import MP100EpisodeDataset

PLAN_KEY = 'evaluation_plan'
"""Key of the plan in ``dataset_meta``."""

EvaluationPlan = dict[int, dict[str, Any]]
"""By category id: every category of which the annotation file has usable instances,
with its ``name``; ``num_pairs``, its support-query pairs; and ``left_out``, why no
episode of it is drawn, or None."""


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
