"""Training episodes stay complete: what does not load is redrawn in its category."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from mmengine.logging import print_log

from ..errors import InstanceLoadError, MissingDataError


def load_or_redraw(
    wanted: Sequence[int],
    num_shots: int,
    pool: Sequence[tuple[int, int]],
    load: Callable[[int], dict],
    image_of: Callable[[int], int],
    seed: int,
    max_redraws: int | None,
    source: str,
    category: str,
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
        max_redraws: tries before giving up; None tries the whole category.
        source: annotation file, for the message.
        category: the category, for the message.

    Returns:
        What ``load`` returned, in the order of ``wanted``, and ``dict(ann_id, reason)``
        of every instance that was replaced.

    Raises:
        MissingDataError: no replacement is left: the category starves; or too many were
            needed.
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
                limit = len(candidates) if max_redraws is None else max_redraws
            others = wanted[num_shots:] if slot < num_shots else wanted[:num_shots]
            images = {image_of(ann_id) for ann_id in others}
            allowed = (i for i in candidates if image_of(i) not in images)
            chosen = next(allowed, None)
            if chosen is None or len(failed) > limit:
                what = f'category {category} of {source}'
                raise _give_up(what, failed, len(pool), len(wanted), error) from error
            _log_redraw(error, len(failed), limit)
            candidates.remove(chosen)
            wanted[slot] = chosen
    return loaded, failed


def _shuffle_others(
    pool: Sequence[tuple[int, int]], used: Sequence[int], seed: int
) -> list[int]:
    others = [ann_id for ann_id, _ in pool if ann_id not in set(used)]
    rng = np.random.default_rng([seed, len(others)])
    return [others[i] for i in rng.permutation(len(others))]


def _give_up(
    category: str,
    failed: Sequence[dict],
    num_instances: int,
    num_wanted: int,
    error: InstanceLoadError,
) -> MissingDataError:
    reasons = Counter(entry['reason'] for entry in failed).most_common()
    counts = ', '.join(f'{count} {reason}' for reason, count in reasons)
    return MissingDataError(
        f'{category} can not complete an episode of {num_wanted} instances any more: '
        f'of its {num_instances} instances {len(failed)} were tried in vain ({counts}) '
        f'and no other may stand in after {len(failed) - 1} redraws. The last failure: '
        f'{error}. Restore the images of this category or leave the category out '
        f'(exclude_categories of the dataset).'
    )


def _log_redraw(error: InstanceLoadError, number: int, limit: int) -> None:
    print_log(
        f'{error} -> redrawn within its category (try {number} of {limit})',
        logger='current',
        level=logging.WARNING,
    )
