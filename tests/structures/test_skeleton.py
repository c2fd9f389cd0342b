"""Hop distances against another implementation, and the check of edges."""

import numpy as np
import pytest
from scipy.sparse.csgraph import shortest_path

from cape_mm.structures.skeleton import UNREACHABLE, check_skeleton, hop_distances


def other_implementation(edges, num_keypoints):
    adjacency = np.zeros((num_keypoints, num_keypoints))
    for a, b in edges:
        adjacency[a, b] = 1
    lengths = shortest_path(adjacency, directed=False, unweighted=True)
    return np.where(np.isinf(lengths), UNREACHABLE, lengths).astype(np.int64)


def test_hand_worked_graph():
    # 0 - 1 - 2 and a lone 3
    far = UNREACHABLE
    expected = [[0, 1, 2, far], [1, 0, 1, far], [2, 1, 0, far], [far, far, far, 0]]
    np.testing.assert_array_equal(hop_distances([[0, 1], [1, 2]], 4), expected)


@pytest.mark.parametrize('seed', range(8))
def test_random_graphs_against_scipy(seed):
    rng = np.random.default_rng(seed)
    num_keypoints = int(rng.integers(2, 40))
    num_edges = int(rng.integers(0, 2 * num_keypoints))
    edges = rng.integers(0, num_keypoints, (num_edges, 2)).tolist()
    expected = other_implementation(edges, num_keypoints)
    np.testing.assert_array_equal(hop_distances(edges, num_keypoints), expected)


def test_result_cannot_be_changed():
    with pytest.raises(ValueError, match='read-only'):
        hop_distances([[0, 1]], 2)[0, 1] = 5


@pytest.mark.parametrize('edge', [[0, 3], [3, 0], [-1, 2]])
@pytest.mark.parametrize('check', [check_skeleton, hop_distances])
def test_edge_out_of_range(check, edge):
    with pytest.raises(ValueError, match=r'out of range for 3 keypoints.*from 0 to 2'):
        check([[0, 1], edge], 3)


@pytest.mark.parametrize('edge', [[0], [0, 1, 2]])
def test_edge_that_is_no_pair(edge):
    with pytest.raises(ValueError, match='is not a pair of indices'):
        check_skeleton([edge], 3)
