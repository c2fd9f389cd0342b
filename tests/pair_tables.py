"""Results in columns for the tests of the statistics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cape_mm.evaluation.functional import PCK_THRESHOLDS
from cape_mm.evaluation.results import (
    POINT_TYPE,
    VALUE_KEYS,
    Floor,
    ResultTable,
    dropped_pairs,
    join_tables,
)


def make_pair(
    episode: int,
    slot: int,
    category: int,
    distances: Sequence[float] | None,
    visibility: Sequence[int] | None = None,
    supercategory: str = '',
    scores: Sequence[float] | None = None,
    floor: float = 0.3,
) -> ResultTable:
    """A pair by the distances of its keypoints; NaN is not scored, None is dropped.

    The copied support is off by ``floor`` everywhere. AUC and EPE are not computed:
    they are ten times the normalised error, so that no two columns are alike.
    """
    names = dict(
        category_names={category: f'cat{category}'},
        supercategories={category: supercategory},
    )
    if distances is None:
        gone = dropped_pairs(episode, [slot], [category], ['image not found'])
        for name, value in names.items():
            getattr(gone, name).update(value)
        return gone
    row = np.array(distances, float)
    points = np.zeros(len(row), POINT_TYPE)
    points['index'] = np.arange(len(row))
    points['is_scored'] = ~np.isnan(row)
    points['distance'], points['visible'] = row, np.nan
    points['is_shared'] = True
    points['score'] = np.nan if scores is None else scores
    known = np.zeros(len(row)) if visibility is None else np.array(visibility)
    points['visibility'] = np.where((known == 1) | (known == 2), known, 0)
    floor_distance = np.where(np.isnan(row), np.nan, floor)
    return ResultTable(
        episode_index=np.array([episode]),
        slot=np.array([slot]),
        category_id=np.array([category]),
        ann_id=np.array([-1]),
        drop_reason=np.array(['']),
        values=_values(row),
        num_keypoints={category: len(row)},
        floors={
            'copy_support': Floor(
                _values(floor_distance), floor_distance, np.zeros((len(row), 2))
            )
        },
        points=points,
        pair_of_point=np.zeros(len(row), np.int64),
        **names,
    )


def _values(distance: np.ndarray) -> np.ndarray:
    own = distance[~np.isnan(distance)]
    if not len(own):
        return np.full((1, len(VALUE_KEYS)), np.nan)
    error = own.mean()
    pck = [(own < thr).mean() for thr in PCK_THRESHOLDS]
    return np.array([[*pck, 10 * error, error, 10 * error]], float)


def make_table(*rows: tuple) -> ResultTable:
    """Pairs in columns; a row holds the arguments of :func:`make_pair`."""
    return join_tables([make_pair(*row) for row in rows])


def random_table(
    seed: int = 0, num_categories: int = 4, noise: float = 0.15
) -> ResultTable:
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
