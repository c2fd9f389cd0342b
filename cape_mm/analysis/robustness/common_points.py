"""PCK of several runs on the keypoints that all of them scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...evaluation.results import ResultTable

INDEX_BITS = 16
"""A keypoint's index is a 16-bit number, see ``KEYPOINT_TYPE``."""


@dataclass(frozen=True)
class CommonPck:
    """Values of the pairs that all runs scored on a common keypoint.

    A pair of which already the first run scored no keypoint counts 0 in all of them,
    as in the official protocol.

    Attributes:
        pck: share of the pair's common keypoints below the threshold, by run, (R, N).
        distance: of every common keypoint, normalised, by run, (R, M).
        episode: episode of every pair, (N,).
        category: category of every pair, (N,).
        num_left_out: pairs that the first run scored and that are not among the N.
    """

    pck: np.ndarray
    distance: np.ndarray
    episode: np.ndarray
    category: np.ndarray
    num_left_out: int


def restore_order(table: ResultTable, orders: Mapping[int, np.ndarray]) -> ResultTable:
    """Name keypoints as they were called before they were listed in another order.

    Args:
        table: pairs with their keypoints.
        orders: by category id, which original keypoint stands at each place, (K,).
    """
    points = table.points.copy()
    category = table.category_id[table.pair_of_point]
    for category_id, order in orders.items():
        own = category == category_id
        points['index'][own] = order[points['index'][own]]
    return replace(table, points=points)


def common_pck(tables: Sequence[ResultTable], threshold: float) -> CommonPck:
    """Restrict runs on the same episodes to what all of them scored.

    Args:
        tables: one per run, the first one being the reference.
        threshold: of the normalised distance; strict, as everywhere.
    """
    first = tables[0]
    keys = [_pair_keys(table) for table in tables]
    scored = [key[table.is_scored] for key, table in zip(keys, tables)]
    pairs = _intersection(scored)
    points = _intersection([_point_keys(t, key) for t, key in zip(tables, keys)])
    distance = np.stack([_distances(t, key, points) for t, key in zip(tables, keys)])
    owner = np.searchsorted(pairs, points >> INDEX_BITS)
    counts = np.bincount(owner, minlength=len(pairs))
    hits = np.stack(
        [np.bincount(owner, row < threshold, len(pairs)) for row in distance]
    )
    rows = _rows(keys[0], pairs)
    kept = (counts > 0) | first.is_empty[rows]
    return CommonPck(
        pck=(hits / np.maximum(counts, 1))[:, kept],
        distance=distance,
        episode=first.episode_index[rows][kept],
        category=first.category_id[rows][kept],
        num_left_out=int(first.is_scored.sum() - kept.sum()),
    )


def _pair_keys(table: ResultTable) -> np.ndarray:
    """A number per pair that sorts by episode and slot."""
    return (table.episode_index << INDEX_BITS) + table.slot


def _point_keys(table: ResultTable, pair_keys: np.ndarray) -> np.ndarray:
    index = table.keypoints['index'].astype(np.int64)
    return (pair_keys[table.pair_of_keypoint] << INDEX_BITS) + index


def _intersection(keys: Sequence[np.ndarray]) -> np.ndarray:
    common = keys[0]
    for other in keys[1:]:
        common = np.intersect1d(common, other, assume_unique=True)
    return np.sort(common)


def _rows(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    order = np.argsort(keys)
    return order[np.searchsorted(keys, wanted, sorter=order)]


def _distances(
    table: ResultTable, pair_keys: np.ndarray, points: np.ndarray
) -> np.ndarray:
    rows = _rows(_point_keys(table, pair_keys), points)
    return table.keypoints['distance'][rows]
