"""The table of an evaluation: a row per support-query pair, a row per keypoint.

Metrics, intervals, breakdowns, calibration, comparisons and the report are functions of
it. It is one file on disk, beside the metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .functional import PCK_THRESHOLDS

PCK_KEYS = tuple(f'PCK@{thr:g}' for thr in PCK_THRESHOLDS)
VALUE_KEYS = (*PCK_KEYS, 'AUC', 'NME', 'EPE')
"""Values of a pair, in this order."""
CORRECT_THRESHOLD = 0.2
"""A keypoint closer than this share of max(w, h) counts as correct."""
PCK_COLUMN = VALUE_KEYS.index(f'PCK@{CORRECT_THRESHOLD:g}')

POINT_TYPE = np.dtype(
    [
        ('index', '<u2'),
        ('visibility', 'u1'),
        ('is_scored', '?'),
        ('distance', '<f8'),
        ('score', '<f4'),
        ('visible', '<f4'),
        ('is_shared', '?'),
        ('x', '<f4'),
        ('y', '<f4'),
    ]
)
"""A keypoint that some support shows: its ``index`` in the category; v of the query's
label (0 where the data do not tell); whether query and all supports show it, so that it
is scored; its ``distance`` as a share of max(w, h), NaN if not scored; the model's
confidence and its probability of being visible, NaN without; whether all supports show
it; where it was predicted, in pixels of the query's source image."""

NOT_EVALUATED = 'not evaluated'
"""Why a pair is missing that was to be evaluated, yet never came."""
PAIR_COLUMNS = (
    *('episode_index', 'slot', 'category_id', 'ann_id', 'drop_reason', 'values'),
)


def _no_rows(dtype: object = np.int64) -> Any:
    return field(default_factory=lambda: np.empty(0, dtype), repr=False)


@dataclass(frozen=True)
class Floor:
    """The same pairs by a method that any model should surpass.

    Attributes:
        values: of every pair, as ``ResultTable.values``, float64 (N, V).
        distance: of every keypoint, NaN if not scored, float64 (P,).
        predicted: (x, y) of every keypoint in pixels, float32 (P, 2).
    """

    values: np.ndarray
    distance: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class ResultTable:
    """All pairs of an evaluation, scored and dropped.

    Attributes:
        episode_index: position of the episode in the evaluation list, int64 (N,).
        slot: place of the query in the episode; with ``episode_index`` the pair's key,
            int64 (N,).
        category_id: ids are unique, names may occur twice, int64 (N,).
        ann_id: of the query; -1 where it is not known, int64 (N,).
        drop_reason: why a pair was not scored, '' for a scored one, str (N,).
        values: columns in the order of ``VALUE_KEYS``, NaN for a pair that was dropped
            or has no scorable keypoint, float64 (N, V).
        category_names: name by category id.
        supercategories: group by category id; '' where the data name none.
        num_keypoints: K by category id; 0 where unknown.
        floors: by name, what needs no model.
        points: keypoints that some support shows, pair after pair, see
            ``POINT_TYPE``, (P,).
        pair_of_point: row of the pair that each belongs to, ascending, int64 (P,).
    """

    episode_index: np.ndarray
    slot: np.ndarray
    category_id: np.ndarray
    ann_id: np.ndarray
    drop_reason: np.ndarray
    values: np.ndarray
    category_names: dict[int, str]
    supercategories: dict[int, str] = field(default_factory=dict)
    num_keypoints: dict[int, int] = field(default_factory=dict)
    floors: dict[str, Floor] = field(default_factory=dict)
    points: np.ndarray = _no_rows(POINT_TYPE)
    pair_of_point: np.ndarray = _no_rows()

    def __len__(self) -> int:
        return len(self.episode_index)

    @cached_property
    def is_scored(self) -> np.ndarray:
        """Pairs that were not dropped, bool (N,)."""
        return self.drop_reason == ''

    @property
    def is_empty(self) -> np.ndarray:
        """Scored pairs without a scorable keypoint, bool (N,)."""
        return self.is_scored & np.isnan(self.values[:, 0])

    @property
    def official_values(self) -> np.ndarray:
        """Values of the scored pairs as the protocol counts them: an empty pair is 0.

        float64 (number of scored pairs, V).
        """
        return np.nan_to_num(self.values[self.is_scored])

    @cached_property
    def keypoints(self) -> np.ndarray:
        """The points that are scored, of ``POINT_TYPE``, (M,)."""
        return self.points[self.points['is_scored']]

    @cached_property
    def pair_of_keypoint(self) -> np.ndarray:
        """Row of the pair of each of :attr:`keypoints`, int64 (M,)."""
        return self.pair_of_point[self.points['is_scored']]

    def scored_rows(self) -> dict[tuple[int, int], int]:
        """Row of every scored pair by (episode_index, slot)."""
        keys = zip(self.episode_index.tolist(), self.slot.tolist())
        return {key: row for row, key in enumerate(keys) if self.is_scored[row]}

    def take(self, rows: np.ndarray) -> ResultTable:
        """Some of the pairs with their points, in the order asked for.

        Args:
            rows: int (n,).
        """
        counts = np.bincount(self.pair_of_point, minlength=len(self))
        first, picked = (np.cumsum(counts) - counts)[rows], counts[rows]
        offset = np.repeat(first - (np.cumsum(picked) - picked), picked)
        points = offset + np.arange(picked.sum())
        floors = {
            name: Floor(
                floor.values[rows], floor.distance[points], floor.predicted[points]
            )
            for name, floor in self.floors.items()
        }
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in PAIR_COLUMNS},
            floors=floors,
            points=self.points[points],
            pair_of_point=np.repeat(np.arange(len(rows)), picked),
        )


def common_rows(first: ResultTable, second: ResultTable) -> list[np.ndarray]:
    """Rows of the pairs that both tables have scored, in the order of the pairs' keys.

    Returns:
        int64 (n,) of the first and of the second.
    """
    places = [table.scored_rows() for table in (first, second)]
    common = sorted(places[0].keys() & places[1].keys())
    return [np.array([place[key] for key in common], np.int64) for place in places]


def join_tables(tables: Sequence[ResultTable]) -> ResultTable:
    """One table of several, their pairs one after another.

    Where one of them lacks a floor, its pairs have NaN there.

    Args:
        tables: at least one.
    """
    starts = np.cumsum([0, *map(len, tables)])
    floors = dict.fromkeys(name for table in tables for name in table.floors)
    names, groups, sizes = {}, {}, {}
    for table in tables:
        names.update(table.category_names)
        groups.update(table.supercategories)
        for key, number in table.num_keypoints.items():  # a dropped pair has none
            sizes[key] = max(sizes.get(key, 0), number)
    return ResultTable(
        **{
            name: np.concatenate([getattr(table, name) for table in tables])
            for name in (*PAIR_COLUMNS, 'points')
        },
        category_names=names,
        supercategories=groups,
        num_keypoints=sizes,
        floors={name: _join_floors(name, tables) for name in floors},
        pair_of_point=np.concatenate(
            [table.pair_of_point + start for table, start in zip(tables, starts)]
        ),
    )


def _join_floors(name: str, tables: Sequence[ResultTable]) -> Floor:
    columns = [
        (floor.values, floor.distance, floor.predicted)
        if (floor := table.floors.get(name)) is not None
        else (
            np.full_like(table.values, np.nan),
            np.full(len(table.points), np.nan),
            np.full((len(table.points), 2), np.nan, np.float32),
        )
        for table in tables
    ]
    return Floor(*map(np.concatenate, zip(*columns)))


def each_once(table: ResultTable) -> ResultTable:
    """Every pair once, in the order of the episode list.

    A distributed sampler may repeat episodes to give all ranks equal shares.

    Raises:
        ValueError: two episodes of different categories have the same index.
    """
    keys = np.stack([table.episode_index, table.slot, table.category_id], axis=1)
    found, rows = np.unique(keys, axis=0, return_index=True)
    is_shared = (np.diff(found[:, :2], axis=0) == 0).all(axis=1)
    if is_shared.any():
        raise ValueError(
            f'two episodes of different categories have the episode_index '
            f'{found[is_shared.argmax(), 0]}: it must be unique within an evaluation'
        )
    return table.take(rows)


def with_gaps(table: ResultTable, plan: Mapping[int, Mapping[str, Any]]) -> ResultTable:
    """The table with the planned pairs that no episode brought, as dropped pairs.

    Args:
        table: the pairs of all processes, each once.
        plan: by category id its ``name``, ``num_pairs`` and ``left_out``, the reason
            why no episode of it was drawn, or None.

    Returns:
        Their slots are below 0: no pair that exists has such a key.
    """
    counts = Counter(table.category_id.tolist())
    missing = {key: plan[key]['num_pairs'] - counts[key] for key in plan}
    ids = [key for key, number in missing.items() for _ in range(number)]
    reasons = [plan[key]['left_out'] or NOT_EVALUATED for key in ids]
    if not ids:
        return table
    gaps = dropped_pairs(-1, -1 - np.arange(len(ids)), ids, reasons)
    names = {key: plan[key]['name'] for key in dict.fromkeys(ids)}
    gaps = replace(gaps, category_names={**names, **table.category_names})
    return join_tables([table, gaps])


def dropped_pairs(
    episode_index: int,
    slots: Sequence[int] | np.ndarray,
    category_ids: Sequence[int],
    reasons: Sequence[str],
) -> ResultTable:
    """Pairs that were not scored.

    Args:
        episode_index: of all of them.
        slots: (n,).
        category_ids: (n,).
        reasons: (n,), none of them ''.
    """
    return ResultTable(
        episode_index=np.full(len(slots), episode_index, np.int64),
        slot=np.asarray(slots, np.int64),
        category_id=np.asarray(category_ids, np.int64),
        ann_id=np.full(len(slots), -1, np.int64),
        drop_reason=np.array(reasons, np.str_).reshape(len(slots)),
        values=np.full((len(slots), len(VALUE_KEYS)), np.nan),
        category_names={},
    )
