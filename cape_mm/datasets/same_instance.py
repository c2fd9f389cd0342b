"""Episodes that ask for what they show: to debug a pipeline, never to evaluate."""

from __future__ import annotations

from ..structures import Episode


class SameInstanceEpisode(Episode):
    """An episode whose queries are its support."""

    def __post_init__(self) -> None:
        """Unlike an :class:`Episode`, accept that an instance appears twice."""


def repeat_instance(
    category_id: int,
    ann_id: int,
    num_shots: int,
    num_queries: int,
    seed: int,
    index: int,
    source: int = 0,
) -> SameInstanceEpisode:
    """An episode of one instance, see ``EpisodeSampler``'s ``same_instance``."""
    supports, queries = (ann_id,) * num_shots, (ann_id,) * num_queries
    return SameInstanceEpisode(category_id, supports, queries, seed, index, source)
