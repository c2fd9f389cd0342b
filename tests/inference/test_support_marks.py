"""What may be marked on supports, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from predict_cases import KEYPOINTS, SKELETON, make_picture

from cape_mm.errors import ConfigError
from cape_mm.inference import CapeInferencer


def test_unmarked_keypoints_have_no_confidence(inferencer):
    inferencer.set_support(make_picture(0), KEYPOINTS, visibility=[2, 0, 1, 2])
    (result,) = inferencer(make_picture(5))
    assert (result.confidence[0] > 0).tolist() == [True, False, True, True]
    assert inferencer.support.is_known.tolist() == [True, False, True, True]


def test_a_later_shot_may_show_what_the_first_does_not(inferencer):
    pictures = [make_picture(0), make_picture(1)]
    marks = [[2, 2, 0, 2], [2, 0, 2, 2]]
    inferencer.set_support(pictures, [KEYPOINTS] * 2, SKELETON, marks)
    (together,) = inferencer(make_picture(5))
    inferencer.set_support(pictures[0], KEYPOINTS, SKELETON, marks[0])
    inferencer.add_support(pictures[1], KEYPOINTS, marks[1])
    (added,) = inferencer(make_picture(5))
    np.testing.assert_allclose(added.keypoints, together.keypoints, atol=1e-3)
    np.testing.assert_allclose(added.confidence, together.confidence, atol=1e-4)
    assert (added.confidence > 0).all()


def test_a_support_is_needed(checkpoint):
    with pytest.raises(ConfigError, match='no support is set'):
        CapeInferencer(checkpoint=checkpoint, device='cpu')(make_picture(0))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(keypoints=[]), 'mark one at least'),
        (dict(keypoints=np.full((4, 2), np.nan)), 'mark one at least'),
        (dict(visibility=[0, 0, 0, 0]), 'mark one at least'),
        (dict(keypoints=KEYPOINTS + [[30, 0]]), '2 keypoints lie outside the picture'),
        (dict(keypoints=KEYPOINTS - [[0, 14]]), '1 keypoints .* 0 at .10.0, -2.0.'),
        (dict(keypoints=np.zeros((4, 3))), r'must be \(K, 2\), got \(4, 3\)'),
        (dict(keypoints=[['a', 'b']]), 'not numbers'),
        (dict(visibility=[1, 1]), r'visibility must be \(4,\), got \(2,\)'),
        (dict(skeleton=[(0, 4)]), r'\[0, 4\] is out of range for 4 keypoints'),
        (dict(skeleton=[(0,)]), r'skeleton: expected pairs .* got \[\(0,\)\]'),
        (dict(skeleton=[('a', 'b')]), 'skeleton: expected pairs'),
        (dict(skeleton=3), 'skeleton: expected pairs .* got 3'),
        (dict(names=['a']), 'expected 4, one per keypoint, got 1'),
        (dict(bbox=[200, 0, 5, 5]), 'support image 0: box'),
        (dict(images=[make_picture(0)] * 2), 'one entry per picture, 2, got 4'),
    ],
)
def test_bad_supports_are_refused_and_the_old_one_stays(inferencer, arguments, message):
    before = inferencer.support
    given = dict(images=make_picture(0), keypoints=KEYPOINTS) | arguments
    with pytest.raises(ConfigError, match=message):
        inferencer.set_support(**given)
    assert inferencer.support is before


def test_shots_of_another_category_are_refused(inferencer):
    with pytest.raises(ConfigError, match='expected 4 keypoints .* got 3'):
        inferencer.add_support(make_picture(1), KEYPOINTS[:3])
    with pytest.raises(ConfigError, match='got .4, 3. of them'):
        pictures = [make_picture(0), make_picture(1)]
        inferencer.set_support(pictures, [KEYPOINTS, KEYPOINTS[:3]])
