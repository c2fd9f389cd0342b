"""Which episodes of a category to show: the best, the median and the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...evaluation.results import PCK_COLUMN, VALUE_KEYS, ResultTable

NME_COLUMN = VALUE_KEYS.index('NME')


@dataclass(frozen=True)
class ChosenPair:
    """A pair that stands for its episode.

    Attributes:
        rank: of the episode in its category, and of the pair in its episode: 'best',
            'median', 'worst', or 'only'.
        category_id: the category.
        episode_index: the episode.
        slot: place of the query in it.
        episode_pck: mean PCK@0.2 of the episode's scored pairs.
        num_pairs: how many these are.
        pair_pck: PCK@0.2 of the pair.
    """

    rank: str
    category_id: int
    episode_index: int
    slot: int
    episode_pck: float
    num_pairs: int
    pair_pck: float

    @property
    def key(self) -> tuple[int, int]:
        """What the pair is found by."""
        return self.episode_index, self.slot


def choose_episodes(table: ResultTable) -> dict[int, list[ChosenPair]]:
    """The best, the median and the worst episode of every category.

    By mean PCK@0.2 over the episode's scored pairs, then by their mean error, then by
    number. The best episode is shown by its best pair, the worst by its worst, the
    median by its median. Pairs without a scorable keypoint count 0 in the mean, but are
    never shown.

    Args:
        table: the pairs.

    Returns:
        By category id; one entry for a category with one episode, two with two, none
        where nothing could be scored.
    """
    by_category: dict[int, list[_Scored]] = {
        category_id: [] for category_id in np.unique(table.category_id).tolist()
    }
    is_empty = table.is_empty
    for rows in _rows_of_episodes(table):
        if not is_empty[rows].all():
            category_id = int(table.category_id[rows[0]])
            by_category[category_id].append(_score(table, rows))
    return {
        category_id: [
            _choose_pair(table, rank, episode)
            for rank, episode in _pick(sorted(episodes, key=lambda one: one[:3]))
        ]
        for category_id, episodes in by_category.items()
    }


class _Scored(NamedTuple):
    """An episode; the best sorts first."""

    negative_pck: float
    error: float
    index: int
    rows: np.ndarray  # its scored pairs


def _rows_of_episodes(table: ResultTable) -> list[np.ndarray]:
    """Rows of the scored pairs of every episode, in their order."""
    scored = np.flatnonzero(table.is_scored)
    rows = scored[np.argsort(table.episode_index[scored], kind='stable')]
    is_next = np.diff(table.episode_index[rows]) > 0
    return np.split(rows, np.flatnonzero(is_next) + 1) if len(rows) else []


def _score(table: ResultTable, rows: np.ndarray) -> _Scored:
    values = table.values[rows]
    pck = float(np.nan_to_num(values[:, PCK_COLUMN]).mean())
    error = float(np.nanmean(values[:, NME_COLUMN]))
    return _Scored(-pck, error, int(table.episode_index[rows[0]]), rows)


def _pick(ranked: Sequence[_Scored]) -> list[tuple[str, _Scored]]:
    """Rank and item of the first, the middle and the last, as far as they differ."""
    if len(ranked) < 2:
        return [('only', episode) for episode in ranked]
    places = {'best': 0, 'median': (len(ranked) - 1) // 2, 'worst': len(ranked) - 1}
    if len(ranked) == 2:
        del places['median']
    return [(rank, ranked[place]) for rank, place in places.items()]


def _choose_pair(table: ResultTable, rank: str, episode: _Scored) -> ChosenPair:
    values = table.values
    rows = episode.rows[~np.isnan(values[episode.rows, PCK_COLUMN])].tolist()
    rows.sort(key=lambda row: (-values[row, PCK_COLUMN], values[row, NME_COLUMN], row))
    place = {'best': 0, 'worst': len(rows) - 1}.get(rank, (len(rows) - 1) // 2)
    row = rows[place]
    return ChosenPair(
        rank=rank,
        category_id=int(table.category_id[row]),
        episode_index=episode.index,
        slot=int(table.slot[row]),
        episode_pck=-episode.negative_pck,
        num_pairs=len(episode.rows),
        pair_pck=float(values[row, PCK_COLUMN]),
    )
