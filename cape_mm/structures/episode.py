"""The episode: what one few-shot task consists of, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Episode:
    """One few-shot task: supports and queries of a single category.

    An episode holds annotation ids only, so it can be saved, hashed and replayed, and
    it carries its own seed: turning it into tensors needs no global random state.

    Attributes:
        category_id: category of all instances.
        support_ids: annotation ids of the supports, length S.
        query_ids: annotation ids of the queries, length Q.
        seed: seeds every random choice that is made while the episode is loaded.
        index: position in the epoch or in the evaluation list; with the place of the
            query in ``query_ids`` it names a support-query pair uniquely.
        source: place of the data set that the ids belong to, where a training draws
            from several.
    """

    category_id: int
    support_ids: tuple[int, ...]
    query_ids: tuple[int, ...]
    seed: int = 0
    index: int = 0
    source: int = 0

    def __post_init__(self) -> None:
        ids = self.support_ids + self.query_ids
        if not self.support_ids or not self.query_ids:
            raise ValueError(
                f'an episode needs at least one support and one query, got '
                f'{len(self.support_ids)} and {len(self.query_ids)}'
            )
        if len(set(ids)) != len(ids):
            raise ValueError(f'an instance appears twice in the episode: {ids}')
