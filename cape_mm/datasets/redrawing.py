"""Training episodes stay complete: what does not load is redrawn in its category."""

from __future__ import annotations

import logging
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
    max_redraws: int,
    source: str,
) -> list[dict]:
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
        max_redraws: tries before giving up.
        source: annotation file, for the message.

    Returns:
        What ``load`` returned, in the order of ``wanted``.

    Raises:
        MissingDataError: no replacement is left, or too many were needed.
    """
    wanted, loaded = list(wanted), []
    candidates: list[int] | None = None
    num_redraws = 0
    while len(loaded) < len(wanted):
        slot = len(loaded)
        try:
            loaded.append(load(wanted[slot]))
        except InstanceLoadError as error:
            num_redraws += 1
            if candidates is None:  # hardly ever needed
                candidates = _shuffle_others(pool, wanted, seed)
            others = wanted[num_shots:] if slot < num_shots else wanted[:num_shots]
            images = {image_of(ann_id) for ann_id in others}
            allowed = (i for i in candidates if image_of(i) not in images)
            chosen = next(allowed, None)
            if chosen is None or num_redraws > max_redraws:
                raise _give_up(num_redraws - 1, error, source) from error
            _log_redraw(error, num_redraws, max_redraws)
            candidates.remove(chosen)
            wanted[slot] = chosen
    return loaded


def _shuffle_others(
    pool: Sequence[tuple[int, int]], used: Sequence[int], seed: int
) -> list[int]:
    others = [ann_id for ann_id, _ in pool if ann_id not in set(used)]
    rng = np.random.default_rng([seed, len(others)])
    return [others[i] for i in rng.permutation(len(others))]


def _give_up(
    num_redraws: int, error: InstanceLoadError, source: str
) -> MissingDataError:
    return MissingDataError(
        f'an episode could not be completed after {num_redraws} redraws within its '
        f'category; the last failure: {error}. Restore the images of this category or '
        f'leave the category out of {source}.'
    )


def _log_redraw(error: InstanceLoadError, number: int, max_redraws: int) -> None:
    print_log(
        f'{error} -> redrawn within its category (try {number} of {max_redraws})',
        logger='current',
        level=logging.WARNING,
    )
