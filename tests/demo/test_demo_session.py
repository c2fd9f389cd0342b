"""What a user of the page can do, without the page."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from demo_cases import png
from predict_cases import KEYPOINTS, make_picture
from pycocotools.coco import COCO

from cape_mm.demo.pictures import MAX_SIDE
from cape_mm.errors import ConfigError


def test_a_point_is_added_moved_renamed_connected_and_deleted(marked):
    marked.rename_point(1, '  left \n ear ')
    marked.move_point(3, [5, 6.5])
    assert marked.labels.names == ('point 1', 'left ear', 'point 3', 'point 4')
    assert marked.current_shot().points[3].tolist() == [5, 6.5]
    assert marked.labels.edges == ((0, 1), (1, 2))
    marked.toggle_edge(0, 1)
    assert marked.labels.edges == ((1, 2),)
    marked.delete_point(0)
    assert marked.labels.names == ('left ear', 'point 3', 'point 4')
    assert marked.labels.edges == ((0, 1),)
    expected = [[40, 20], [30, 50], [5, 6.5]]
    assert marked.current_shot().points.tolist() == expected


def test_names_given_before_are_taken_by_the_clicks_in_order(session):
    session.add_support('a.png', png(0))
    session.set_names(['nose', 'tail'])
    assert not session.current_shot().is_placed.any()
    assert [session.add_point([x, 10]) for x in (10, 20, 30)] == [0, 1, 2]
    assert session.labels.names == ('nose', 'tail', 'point 3')


def test_a_number_that_is_taken_is_no_name_of_a_new_point(marked):
    marked.delete_point(0)
    marked.add_point([20, 20])
    assert marked.labels.names == ('point 2', 'point 3', 'point 4', 'point 5')


def test_undo_takes_back_one_step_after_the_other(marked):
    before = marked.labels
    marked.delete_point(2)
    marked.move_point(0, [1, 1])
    marked.undo()
    assert len(marked.labels.names) == 3
    marked.undo()
    assert marked.labels is before
    for _ in range(6):
        marked.undo()
    with pytest.raises(ConfigError, match='nothing to undo'):
        marked.undo()


@pytest.mark.parametrize(
    ('act', 'message'),
    [
        (lambda s: s.add_point([64, 3]), 'outside the picture of 64 x 60'),
        (lambda s: s.move_point(0, [np.nan, 3]), 'two numbers'),
        (lambda s: s.move_point(0, ['a', '3']), 'must be numbers'),
        (lambda s: s.move_point(9, [1, 3]), 'no point 10'),
        (lambda s: s.delete_point(-1), 'no point 0'),
        (lambda s: s.rename_point(0, 'point 2'), "named 'point 2'"),
        (lambda s: s.rename_point(0, ' \n'), 'has no name'),
        (lambda s: s.set_names(['one']), '4 points are there'),
        (lambda s: s.set_names(list('abcdef')), 'at most 5 points'),
        (lambda s: s.toggle_edge(1, 1), 'two different points'),
        (lambda s: s.show_shot(1), 'no support picture 2'),
        (lambda s: s.predict(), 'upload pictures'),
        (lambda s: s.use_as_support(), 'upload pictures'),
    ],
)
def test_an_impossible_action_says_why_and_changes_nothing(marked, act, message):
    before = marked.labels
    with pytest.raises(ConfigError, match=message):
        act(marked)
    assert marked.labels is before


def test_what_needs_a_support_picture_says_so(session):
    for act in (lambda: session.add_point([1, 1]), session.remove_support):
        with pytest.raises(ConfigError, match='upload a support picture'):
            act()
    session.add_queries([('a.png', png(1))])
    with pytest.raises(ConfigError, match='mark points'):
        session.predict()


def test_predictions_are_those_of_the_inferencer(predicted, inferencer):
    inferencer.set_support(make_picture(0), KEYPOINTS, [(0, 1), (1, 2)])
    for seed, pose in zip((1, 2), predicted.labels.queries):
        (expected,) = inferencer(make_picture(seed))
        np.testing.assert_allclose(pose.points, expected.keypoints[0], atol=1e-4)
        np.testing.assert_allclose(pose.confidence, expected.confidence[0], atol=1e-5)
    assert predicted.is_predicted
    assert not predicted.is_stale


def test_points_of_a_large_picture_are_in_its_own_pixels(session):
    """It is kept at half its size, on which the model looks."""
    scale = 40
    small = make_picture(0)
    large = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    content = cv2.imencode('.png', large)[1].tobytes()
    session.add_support('large.png', content)
    pose = session.current_shot()
    assert pose.picture.size == (64 * scale, 60 * scale)
    assert max(pose.picture.kept_size) == MAX_SIDE
    point = np.array([1000.0, 2000.0])
    session.add_point(point)
    kept = pose.picture.to_kept(point)
    np.testing.assert_allclose(kept, [499.75, 999.75])
    np.testing.assert_allclose(pose.picture.from_kept(kept), point)
    session.add_queries([('large too.png', content)])
    session.predict()
    (expected,) = session.inferencer(pose.picture.image)
    found = session.current_query().points
    np.testing.assert_allclose(found, 2 * expected.keypoints[0] + 0.5, atol=1e-2)


def test_a_correction_outlives_the_next_prediction(predicted):
    predicted.correct_point(2, [7, 8])
    predicted.correct_point(3, None)
    before = predicted.current_query()
    predicted.move_point(0, [30, 30])
    assert predicted.is_stale
    predicted.predict()
    pose = predicted.current_query()
    assert pose.points[2].tolist() == [7, 8]
    assert pose.confidence[2] == 1
    assert not pose.is_placed[3]
    assert not np.array_equal(pose.points[:2], before.points[:2])
    assert not predicted.is_stale


def test_a_right_prediction_becomes_a_shot_and_changes_the_next(predicted):
    predicted.correct_point(0, [33, 44])
    predicted.set_threshold(2)  # beyond 1 is 1: only the correction is shown
    predicted.use_as_support()
    assert len(predicted.labels.shots) == 2
    shot = predicted.labels.shots[1]
    assert shot.is_placed.tolist() == [True, False, False, False]
    assert shot.points[0].tolist() == [33, 44]
    assert predicted.is_stale
    before = predicted.labels.queries[1].points
    predicted.predict()
    assert predicted.inferencer.support.num_shots == 2
    assert not np.array_equal(predicted.labels.queries[1].points, before)
    predicted.set_threshold(0)
    predicted.use_as_support()  # once more: replaced, not added
    assert len(predicted.labels.shots) == 2
    assert predicted.labels.shots[1].is_placed.all()
    predicted.show_query(1)
    with pytest.raises(ConfigError, match='at most 2 support pictures'):
        predicted.use_as_support()


def test_a_prediction_that_a_user_found_right_stays(predicted):
    predicted.set_threshold(0.1)
    before = predicted.current_query()
    predicted.use_as_support()
    predicted.move_point(0, [30, 30])
    predicted.predict()
    pose = predicted.current_query()
    np.testing.assert_array_equal(pose.points, before.points)
    assert pose.confidence.tolist() == [1] * 4
    predicted.undo()
    predicted.undo()
    predicted.undo()
    assert predicted.current_query() is before


def test_a_point_is_where_the_user_put_it_as_support_and_as_query(predicted, tmp_path):
    predicted.use_as_support()
    predicted.show_shot(1)
    predicted.move_point(0, [3, 4])
    predicted.correct_point(1, [5, 6])
    predicted.unmark_point(2)
    for pose in (predicted.current_shot(), predicted.current_query()):
        assert pose.points[:2].tolist() == [[3, 4], [5, 6]]
        assert not pose.is_placed[2]
    coco = COCO(predicted.export_coco(tmp_path / 'out.json'))
    triplets = np.reshape(coco.dataset['annotations'][1]['keypoints'], (4, 3))
    assert triplets[:3].tolist() == [[3, 4, 2], [5, 6, 2], [0, 0, 0]]
    others = (predicted.labels.shots[0], predicted.labels.queries[1])
    assert all(pose.points[0].tolist() != [3, 4] for pose in others)


def test_an_empty_prediction_is_no_support(predicted):
    predicted.set_threshold(1)
    with pytest.raises(ConfigError, match='shows no point'):
        predicted.use_as_support()


def test_points_keep_their_predictions_when_others_come_and_go(predicted):
    before = predicted.current_query().points
    predicted.add_point([20, 20])
    predicted.delete_point(1)
    points = predicted.current_query().points
    np.testing.assert_array_equal(points[:3], before[[0, 2, 3]])
    assert np.isnan(points[3]).all()


def test_a_point_that_no_support_shows_is_not_predicted(marked):
    marked.set_names([*marked.labels.names, 'tail'])
    marked.add_queries([('a.png', png(1))])
    marked.predict()
    assert marked.current_query().is_placed.tolist() == [True] * 4 + [False]
