"""Loading the instances of an episode, some of which may turn out not to load.

Evaluation episodes stay what they are: what does not load is dropped, and noted.
Training episodes stay complete: what does not load is redrawn in its category.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from mmengine.logging import print_log

from ..errors import InstanceLoadError, MissingDataError


def load_or_drop(
    query_ids: Sequence[int],
    load_supports: Callable[[], list[dict]],
    load_query: Callable[[int], dict],
) -> tuple[list[dict], list[dict], list[dict]]:
    """Load the instances of an evaluation episode; drop the pairs that can't be.

    A support that can't be loaded drops all pairs of its episode.

    Args:
        query_ids: annotation ids of the queries.
        load_supports: loads all supports.
        load_query: loads an annotation id.

    Returns:
        The supports, or none if no query is left; the queries that could be loaded;
        ``dict(slot, ann_id, reason)`` of every dropped pair.
    """
    try:
        supports = load_supports()
    except InstanceLoadError as error:
        reason = f'support: {error.reason}'
        pairs = enumerate(query_ids)
        return [], [], [dict(slot=s, ann_id=i, reason=reason) for s, i in pairs]
    queries, dropped = [], []
    for slot, ann_id in enumerate(query_ids):
        try:
            queries.append(load_query(ann_id))
        except InstanceLoadError as error:
            dropped.append(
                dict(slot=slot, ann_id=ann_id, reason=f'query: {error.reason}')
            )
    return supports if queries else [], queries, dropped


def load_or_redraw(
    wanted: Sequence[int],
    num_shots: int,
    pool: Sequence[tuple[int, int]],
    load: Callable[[int], dict],
    image_of: Callable[[int], int],
    seed: int,
    what: str,
) -> tuple[list[dict], list[dict]]:
    """Load the instances of a training episode; replace those that can't be.

    The replacement is drawn from the episode's own seed, so an epoch stays reproducible
    on the same data. A query never shares an image with a support.

    Args:
        wanted: annotation ids, first the S supports, then the queries.
        num_shots: S; 0 where the supports come from elsewhere.
        pool: annotation and image ids of the category.
        load: loads an annotation id.
        image_of: image id of an annotation id.
        seed: the episode's seed.
        what: the category, for the message.

    Returns:
        What ``load`` returned, in the order of ``wanted``, and ``dict(ann_id, reason)``
        of every instance that was replaced.

    Raises:
        MissingDataError: no replacement is left: the category starves.
    """
    wanted, loaded, failed = list(wanted), [], []
    candidates: list[int] | None = None
    while len(loaded) < len(wanted):
        slot = len(loaded)
        try:
            loaded.append(load(wanted[slot]))
        except InstanceLoadError as error:
            failed.append(dict(ann_id=wanted[slot], reason=error.reason))
            if candidates is None:  # hardly ever needed
                candidates = _shuffle_others(pool, wanted, seed)
                limit = len(candidates)
            others = wanted[num_shots:] if slot < num_shots else wanted[:num_shots]
            images = {image_of(ann_id) for ann_id in others}
            allowed = (i for i in candidates if image_of(i) not in images)
            chosen = next(allowed, None)
            if chosen is None:
                reasons = Counter(entry['reason'] for entry in failed).most_common()
                counts = ', '.join(f'{count} {reason}' for reason, count in reasons)
                raise MissingDataError(
                    f'{what} can not complete an episode of {len(wanted)} instances '
                    f'any more: of its {len(pool)} instances {len(failed)} were tried '
                    f'in vain ({counts}) and no other may stand in after '
                    f'{len(failed) - 1} redraws. The last failure: {error}. Restore '
                    f'the images of this category or leave the category out '
                    f'(exclude_categories of the dataset).'
                ) from error
            print_log(
                f'{error} -> redrawn within its category (try {len(failed)} of '
                f'{limit})',
                logger='current',
                level=logging.WARNING,
            )
            candidates.remove(chosen)
            wanted[slot] = chosen
    return loaded, failed


def _shuffle_others(
    pool: Sequence[tuple[int, int]], used: Sequence[int], seed: int
) -> list[int]:
    others = [ann_id for ann_id, _ in pool if ann_id not in set(used)]
    rng = np.random.default_rng([seed, len(others)])
    return [others[i] for i in rng.permutation(len(others))]
