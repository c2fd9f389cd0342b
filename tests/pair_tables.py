"""Pairs in columns for the tests of the statistics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cape_mm.evaluation.functional import PCK_THRESHOLDS
from cape_mm.evaluation.keypoint_records import pack_keypoints
from cape_mm.evaluation.pair_records import VALUE_KEYS, PairRecord
from cape_mm.evaluation.pair_table import PairTable, table_of

NONE = (np.nan,) * len(VALUE_KEYS)


def make_record(
    episode: int,
    slot: int,
    category: int,
    distances: Sequence[float] | None,
    visibility: Sequence[int] | None = None,
    supercategory: str = '',
) -> PairRecord:
    """A pair by the distances of its keypoints; NaN is not scored, None is dropped.

    The copied support is off by 0.3 everywhere. AUC and EPE are not computed: they are
    ten times the normalised error, so that no two columns are alike.
    """
    common = dict(
        episode_index=episode,
        slot=slot,
        category_id=category,
        category_name=f'cat{category}',
        supercategory=supercategory,
    )
    if distances is None:
        gone = dict(values=None, floor_values=None, drop_reason='image not found')
        return PairRecord(**common, **gone)
    row = np.array([distances], float)
    is_scored = ~np.isnan(row)
    (packed,) = pack_keypoints(
        row,
        np.full_like(row, 0.3),
        is_scored,
        None if visibility is None else np.array([visibility]),
    )
    values = NONE
    if is_scored.any():
        own = row[is_scored]
        error = own.mean()
        pck = [(own < thr).mean() for thr in PCK_THRESHOLDS]
        values = (*pck, 10 * error, error, 10 * error)
    return PairRecord(
        **common,
        values=tuple(map(float, values)),
        floor_values=NONE,
        drop_reason=None,
        num_keypoints=len(distances),
        keypoints=packed,
    )


def make_table(*rows: tuple) -> PairTable:
    """Pairs in columns; a row holds the arguments of :func:`make_record`."""
    return table_of([make_record(*row) for row in rows])


def random_table(seed: int = 0, num_categories: int = 4, noise: float = 0.15):
    """Five episodes of three pairs of every category, four keypoints each."""
    rng = np.random.default_rng(seed)
    return make_table(
        *(
            (5 * category + episode, slot, category, rng.exponential(noise, 4))
            for category in range(num_categories)
            for episode in range(5)
            for slot in range(3)
        )
    )
