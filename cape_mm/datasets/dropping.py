"""Evaluation episodes stay what they are: what does not load is dropped, and noted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import InstanceLoadError


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
        return [], [], [_drop(*pair, reason) for pair in enumerate(query_ids)]
    queries, dropped = [], []
    for slot, ann_id in enumerate(query_ids):
        try:
            queries.append(load_query(ann_id))
        except InstanceLoadError as error:
            dropped.append(_drop(slot, ann_id, f'query: {error.reason}'))
    return supports if queries else [], queries, dropped


def _drop(slot: int, ann_id: int, reason: str) -> dict:
    return dict(slot=slot, ann_id=ann_id, reason=reason)
