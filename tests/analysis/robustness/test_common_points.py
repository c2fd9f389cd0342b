"""Runs are compared on what all of them scored, worked out by hand."""

from __future__ import annotations

import numpy as np

from cape_mm.analysis.robustness.common_points import common_pck, restore_order
from cape_mm.analysis.robustness.figures import Scores, compare_to_clean
from cape_mm.evaluation.results import POINT_TYPE, ResultTable

GOOD, BAD = 0.1, 0.5


def make_table(pairs: dict[tuple[int, int], dict[int, float] | None]) -> ResultTable:
    """Pairs (episode, slot) of category 7 with the distances of their keypoints.

    None is a dropped pair, an empty dictionary one without a scorable keypoint.
    """
    points = [
        (index, 2, True, distance, np.nan, np.nan)
        for row in pairs.values()
        for index, distance in (row or {}).items()
    ]
    sizes = [len(row or {}) for row in pairs.values()]
    values = [[np.nan if not row else 0.0] for row in pairs.values()]
    return ResultTable(
        episode_index=np.array([episode for episode, _ in pairs]),
        slot=np.array([slot for _, slot in pairs]),
        category_id=np.full(len(pairs), 7),
        drop_reason=np.array(['gone' if r is None else '' for r in pairs.values()]),
        values=np.array(values),
        category_names={7: 'seven'},
        points=np.array(points, POINT_TYPE),
        pair_of_point=np.repeat(np.arange(len(pairs)), sizes),
    )


def test_a_mean_over_the_common_keypoints_of_every_pair():
    clean = make_table({(0, 0): {0: GOOD, 1: BAD, 2: GOOD}, (0, 1): {1: GOOD}})
    other = make_table({(0, 1): {1: BAD}, (0, 0): {2: GOOD, 1: GOOD}})
    common = common_pck([clean, other], 0.2)
    np.testing.assert_array_equal(common.pck, [[0.5, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(common.episode, [0, 0])
    np.testing.assert_array_equal(common.category, [7, 7])
    assert common.num_left_out == 0


def test_a_distance_equal_to_the_threshold_counts_as_wrong():
    table = make_table({(0, 0): {0: 0.2}})
    assert common_pck([table, table], 0.2).pck.tolist() == [[0], [0]]


def test_pairs_that_can_not_be_compared_are_counted():
    clean = make_table(
        {(0, 0): {0: GOOD}, (0, 1): {1: GOOD}, (1, 0): {0: BAD}, (2, 0): {0: GOOD}}
    )
    other = make_table({(0, 0): {0: GOOD}, (0, 1): {0: GOOD}, (1, 0): None})
    common = common_pck([clean, other], 0.2)
    assert common.pck.tolist() == [[1], [1]]
    assert common.num_left_out == 3


def test_a_pair_that_was_empty_before_counts_zero_in_all_runs():
    """As in the official protocol, so that the clean figure is the official one."""
    clean = make_table({(0, 0): {}, (0, 1): {0: GOOD}})
    other = make_table({(0, 0): {}, (0, 1): {0: GOOD}})
    common = common_pck([clean, other], 0.2)
    assert common.pck.tolist() == [[0, 1], [0, 1]]
    assert common.num_left_out == 0


def test_restored_order_names_the_original_keypoints():
    """Place 0 shows what was keypoint 2, and so on."""
    clean = make_table({(0, 0): {0: GOOD, 1: BAD, 2: GOOD}})
    listed = make_table({(0, 0): {0: BAD, 1: GOOD, 2: GOOD}})
    restored = restore_order(listed, {7: np.array([2, 0, 1]), 8: np.array([1, 0])})
    assert restored.keypoints['index'].tolist() == [2, 0, 1]
    common = common_pck([clean, restored], 0.2)
    np.testing.assert_array_equal(common.distance[1], [GOOD, GOOD, BAD])


def test_invariance_is_told_from_luck():
    """Equal means are not enough: two keypoints that swap their fate show."""
    clean = make_table({(0, 0): {0: GOOD, 1: BAD}, (1, 0): {0: GOOD}})
    swapped = make_table({(0, 0): {0: BAD, 1: GOOD}, (1, 0): {0: GOOD}})
    scores = [Scores(table, table) for table in (clean, swapped)]
    same = compare_to_clean(scores[0], scores[0], 50, 0, is_symmetry=True)
    other = compare_to_clean(*scores, 50, 0, is_symmetry=True)
    assert other['difference'] == 0
    assert same['invariance']['is_invariant']
    assert not other['invariance']['is_invariant']
    assert other['invariance']['text'].startswith('NOT INVARIANT')
    assert other['invariance']['largest_change'] == BAD - GOOD


def test_nothing_in_common_is_said_and_not_averaged():
    clean = make_table({(0, 0): {0: GOOD}})
    other = make_table({(0, 0): {1: GOOD}})
    record = compare_to_clean(Scores(clean, clean), Scores(other, other), 50, 0)
    assert 'PCK@0.2' not in record
    assert record['num_pairs_left_out'] == 1
    assert record['notes'] == ['no pair is left to compare']
