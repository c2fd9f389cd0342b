"""Keypoints packed per pair."""

import numpy as np

from cape_mm.evaluation.keypoint_records import (
    KEYPOINT_TYPE,
    pack_keypoints,
    unpack_keypoints,
)


def test_round_trip_keeps_index_and_every_bit():
    rng = np.random.default_rng(0)
    distance, floor = rng.random((2, 3, 4))
    is_scored = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]], bool)
    visibility = np.array([[2, 0, 1, 7]] * 3)
    packed = pack_keypoints(distance, floor, is_scored, visibility)
    assert [len(part) // KEYPOINT_TYPE.itemsize for part in packed] == [3, 0, 1]
    keypoints, rows = unpack_keypoints([packed[0], None, packed[1], packed[2]])
    np.testing.assert_array_equal(rows, [0, 0, 0, 3])
    np.testing.assert_array_equal(keypoints['index'], [0, 2, 3, 1])
    np.testing.assert_array_equal(keypoints['visibility'], [2, 1, 0, 0])
    np.testing.assert_array_equal(keypoints['distance'], distance[is_scored])
    np.testing.assert_array_equal(keypoints['floor'], floor[is_scored])


def test_nothing():
    keypoints, rows = unpack_keypoints([])
    assert len(keypoints) == len(rows) == 0
    keypoints, rows = unpack_keypoints([None, b''])
    assert len(keypoints) == len(rows) == 0
