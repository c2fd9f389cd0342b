"""All that is computed from the pairs beside the official means, ready for JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bootstrap import (
    LEVEL,
    NUM_RESAMPLES,
    Resamples,
    as_record,
    interval,
    resample_categories,
    resample_episodes,
    sum_episodes,
)
from .breakdowns import (
    PCK_COLUMN,
    by_keypoint,
    by_supercategory,
    by_visibility,
    macro_key,
    macro_means,
    pck_curve,
)
from .pair_records import PCK_KEYS, VALUE_KEYS
from .pair_table import PairTable

RESAMPLED_KEYS = (*VALUE_KEYS, 'mPCK5')


def resampled_values(official_values: np.ndarray) -> np.ndarray:
    """Values of the pairs whose means get an interval: :data:`RESAMPLED_KEYS`.

    Args:
        official_values: without NaN, (N, V) in the order of ``VALUE_KEYS``.

    Returns:
        float64 (N, V + 1).
    """
    mpck = official_values[:, : len(PCK_KEYS)].mean(axis=1)
    return np.column_stack([official_values, mpck])


def pair_statistics(
    table: PairTable, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> dict[str, Any]:
    """Statistics of an evaluation as tables by name.

    Args:
        table: all pairs, at least one of them scored.
        num_resamples: of each bootstrap; 0 leaves the intervals out.
        seed: of the bootstrap's own generator.

    Returns:
        ``PCK_macro@0.2`` and the other means over categories as numbers; the tables
        ``confidence_intervals``, ``per_supercategory``, ``by_visibility`` (these two
        only where the data tell) and ``pck_curve``.
    """
    statistics: dict[str, Any] = dict(macro_means(table))
    if num_resamples:
        statistics['confidence_intervals'] = confidence_intervals(
            table, num_resamples, seed
        )
    for name, rows in (
        ('per_supercategory', by_supercategory(table)),
        ('by_visibility', by_visibility(table)),
        ('pck_curve', pck_curve(table)),
    ):
        if rows:
            statistics[name] = rows
    return statistics


def confidence_intervals(
    table: PairTable, num_resamples: int, seed: int
) -> dict[str, Any]:
    """Percentile intervals of the official means and of the means over categories.

    Returns:
        ``level``, ``num_resamples``, ``seed``; ``over_episodes`` and
        ``over_categories``, each ``{key: dict(low, high)}``, or None where nothing can
        be drawn again: every category has one episode, or there is one category.
    """
    is_scored = table.is_scored
    episodes = sum_episodes(
        resampled_values(table.official_values),
        table.episode_index[is_scored],
        table.category_id[is_scored],
    )
    num_categories = len(episodes.category_ids)
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = dict(level=LEVEL, num_resamples=num_resamples, seed=seed)
    found['over_episodes'] = found['over_categories'] = None
    if len(episodes.counts) > num_categories:
        resamples = resample_episodes(episodes, rng, num_resamples)
        found['over_episodes'] = _intervals(resamples)
    if num_categories > 1:
        resamples = resample_categories(episodes, rng, num_resamples)
        found['over_categories'] = _intervals(resamples)
    return found


def _intervals(resamples: Resamples) -> dict[str, dict[str, float]]:
    plain, macro = interval(resamples.means), interval(resamples.macro_means)
    rows = {key: as_record(plain[:, i]) for i, key in enumerate(RESAMPLED_KEYS)}
    rows.update(
        (macro_key(key), as_record(macro[:, i])) for i, key in enumerate(RESAMPLED_KEYS)
    )
    return rows


def category_statistics(
    table: PairTable, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> dict[int, dict[str, Any]]:
    """What every row of ``per_category`` gets in addition.

    Args:
        table: all pairs, at least one of them scored.
        num_resamples: of the bootstrap over the category's episodes; 0 leaves the
            intervals out.
        seed: of the bootstrap's own generator.

    Returns:
        By id of every category with a scored pair: ``PCK@0.2_interval`` (low, high)
        where it has more than one episode, and ``per_keypoint``.
    """
    rows: dict[int, dict[str, Any]] = {
        category_id: dict(per_keypoint=keypoints)
        for category_id, keypoints in by_keypoint(table).items()
    }
    if not num_resamples:
        return rows
    is_scored = table.is_scored
    episodes = sum_episodes(
        table.official_values[:, [PCK_COLUMN]],
        table.episode_index[is_scored],
        table.category_id[is_scored],
    )
    rng = np.random.default_rng(seed)
    drawn = resample_episodes(episodes, rng, num_resamples).category_means[..., 0]
    ends = interval(drawn)  # (2, C)
    num_episodes = np.diff(episodes.starts)
    for place, category_id in enumerate(episodes.category_ids.tolist()):
        if num_episodes[place] > 1:
            rows[category_id]['PCK@0.2_interval'] = as_record(ends[:, place])
    return rows
