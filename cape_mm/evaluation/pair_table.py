"""The pairs of an evaluation in columns: what all statistics are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .keypoint_records import KEYPOINT_TYPE, unpack_keypoints
from .pair_records import VALUE_KEYS, PairRecord


@dataclass(frozen=True)
class PairTable:
    """All pairs of an evaluation, scored and dropped, each once.

    Attributes:
        episode_index: position of the episode in the evaluation list, int64 (N,).
        slot: place of the query in the episode, int64 (N,).
        category_id: int64 (N,).
        drop_reason: why a pair was not scored, '' for a scored one, str (N,).
        values: columns in the order of ``VALUE_KEYS``, NaN for a pair that was dropped
            or has no scorable keypoint, float64 (N, V).
        category_names: name by category id.
        supercategories: group by category id; '' where the data name none.
        num_keypoints: K by category id; 0 where unknown.
        keypoints: the scored keypoints of all pairs, see ``KEYPOINT_TYPE``, (M,).
        pair_of_keypoint: row of the pair that each belongs to, int64 (M,).
    """

    episode_index: np.ndarray
    slot: np.ndarray
    category_id: np.ndarray
    drop_reason: np.ndarray
    values: np.ndarray
    category_names: dict[int, str]
    supercategories: dict[int, str] = field(default_factory=dict)
    num_keypoints: dict[int, int] = field(default_factory=dict)
    keypoints: np.ndarray = field(
        default_factory=lambda: np.empty(0, KEYPOINT_TYPE), repr=False
    )
    pair_of_keypoint: np.ndarray = field(
        default_factory=lambda: np.empty(0, np.int64), repr=False
    )

    def __len__(self) -> int:
        return len(self.episode_index)

    @property
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


def table_of(records: Sequence[PairRecord]) -> PairTable:
    """Columns of the records of an evaluation, in their order.

    Args:
        records: scored and dropped pairs.
    """
    nothing = (np.nan,) * len(VALUE_KEYS)
    values = [nothing if r.values is None else r.values for r in records]
    keypoints, rows = unpack_keypoints([r.keypoints for r in records])
    return PairTable(
        episode_index=np.array([r.episode_index for r in records], np.int64),
        slot=np.array([r.slot for r in records], np.int64),
        category_id=np.array([r.category_id for r in records], np.int64),
        drop_reason=np.array([r.drop_reason or '' for r in records], np.str_),
        values=np.array(values, np.float64).reshape(-1, len(VALUE_KEYS)),
        category_names={r.category_id: r.category_name for r in records},
        supercategories={r.category_id: r.supercategory for r in records},
        num_keypoints=_largest_by_category(records),
        keypoints=keypoints,
        pair_of_keypoint=rows,
    )


def _largest_by_category(records: Sequence[PairRecord]) -> dict[int, int]:
    """K by category; a dropped pair may not know it."""
    numbers: dict[int, int] = {}
    for record in records:
        known = numbers.get(record.category_id, 0)
        numbers[record.category_id] = max(known, record.num_keypoints)
    return numbers
