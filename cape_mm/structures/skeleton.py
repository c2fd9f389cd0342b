"""Graph distances on a skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

Edge = tuple[int, int]

UNREACHABLE = 10_000
"""Hop distance between keypoints that no path connects."""


def check_skeleton(edges: Sequence[Sequence[int]], num_keypoints: int) -> None:
    """Refuse edges that are not pairs of existing 0-based keypoint indices.

    Args:
        edges: keypoint index pairs, E of them.
        num_keypoints: K.

    Raises:
        ValueError: an edge is no pair, or an index lies outside ``[0, K)``.
    """
    for edge in edges:
        if len(edge) != 2:
            raise ValueError(f'skeleton edge {list(edge)} is not a pair of indices')
        if not all(0 <= int(node) < num_keypoints for node in edge):
            raise ValueError(
                f'skeleton edge {list(edge)} is out of range for {num_keypoints} '
                f'keypoints: 0-based indices from 0 to {num_keypoints - 1} are expected'
            )


@lru_cache(maxsize=4096)
def _cached_hops(edges: tuple[Edge, ...], num_keypoints: int) -> np.ndarray:
    check_skeleton(edges, num_keypoints)
    hops = np.full((num_keypoints, num_keypoints), UNREACHABLE, dtype=np.int64)
    for start, end in edges:
        hops[start, end] = hops[end, start] = 1
    np.fill_diagonal(hops, 0)
    for middle in range(num_keypoints):  # Floyd and Warshall's
        np.minimum(hops, hops[:, middle, None] + hops[middle], out=hops)
    hops.setflags(write=False)
    return hops


def hop_distances(edges: Sequence[Sequence[int]], num_keypoints: int) -> np.ndarray:
    """Number of edges on the shortest path between every two keypoints.

    Args:
        edges: 0-based, undirected keypoint index pairs.
        num_keypoints: K.

    Returns:
        Hop distances, int64 (K, K), read-only: 0 on the diagonal,
        :data:`UNREACHABLE` where no path exists.

    Raises:
        ValueError: an edge is out of range.
    """
    return _cached_hops(tuple(map(tuple, edges)), num_keypoints)
