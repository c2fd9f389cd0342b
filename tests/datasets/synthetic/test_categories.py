"""Categories: the seed fixes the look, trees are trees, looks can be told apart."""

import numpy as np
import pytest

from cape_mm.datasets.synthetic.categories import forward_kinematics, make_category
from cape_mm.datasets.synthetic.topologies import TOPOLOGIES, Joint


@pytest.fixture(scope='module')
def categories():
    return [make_category(i, seed=3) for i in range(1, 64)]


def make_joint(parent, length=1.0):
    return Joint('j', parent, length, 0.0, 0.0, 0, 0)


def test_forward_kinematics_by_hand():
    joints = (make_joint(-1, 0.0), make_joint(0), make_joint(1), make_joint(0))
    angles = np.deg2rad([0, 90, -90, 180])
    points = forward_kinematics(joints, angles, np.array([0, 2, 3, 1]))
    np.testing.assert_allclose(points, [[0, 0], [0, 2], [3, 2], [-1, 0]], atol=1e-12)


def test_category_is_a_function_of_id_and_seed():
    assert make_category(5, seed=3) == make_category(5, seed=3)
    assert make_category(5, seed=3) != make_category(5, seed=4)
    first, second = (make_category(i, seed=3) for i in (1, 1 + len(TOPOLOGIES)))
    assert first.family == second.family
    assert first.joints != second.joints
    assert first.palette != second.palette


def test_number_of_keypoints_names_and_edges(categories):
    for category in categories:
        num_keypoints = category.num_keypoints
        assert 6 <= num_keypoints <= 20
        assert len(set(category.keypoint_names)) == num_keypoints
        edges = category.skeleton
        assert len({frozenset(edge) for edge in edges}) == len(edges)
        assert all(0 <= i < num_keypoints for edge in edges for i in edge)
        assert len(edges) == len(category.joints) - 1 + (category.strut is not None)
