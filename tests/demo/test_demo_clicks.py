"""Clicks, drags and typed cells, and what the page shows of a session."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from predict_cases import make_picture

from cape_mm.demo import actions, views
from cape_mm.demo.actions import apply_rows
from cape_mm.demo.clicks import click_query, click_support, drag_query
from cape_mm.demo.marking import ADD, CONNECT, MOVE
from cape_mm.demo.session import DemoSession
from cape_mm.errors import ConfigError
from cape_mm.visualization import keypoint_colors

SCALE = 10
"""Of the view: 64 pixels are shown as 640."""


def in_view(x: float, y: float) -> list[float]:
    return [(x + 0.5) * SCALE - 0.5, (y + 0.5) * SCALE - 0.5]


@pytest.fixture
def session() -> DemoSession:
    """Two points on a picture, one query; no model, which nothing here asks."""
    session = DemoSession(None)
    content = cv2.imencode('.png', make_picture(0))[1].tobytes()
    session.add_support('a.png', content)
    session.add_queries([('b_*1*.png', content)])
    for point in ((10, 20), (40, 50)):
        click_support(session, in_view(*point))
    return session


def test_a_click_on_nothing_adds_a_point_where_it_was(session):
    points = session.current_shot().points
    np.testing.assert_allclose(points, [[10, 20], [40, 50]], atol=1e-9)
    assert session.selected == 1


def test_a_click_beside_a_point_selects_it(session):
    said = click_support(session, in_view(10.5, 20.5))
    assert said == ['point 1 is selected. Click farther from it for another point.']
    assert session.selected == 0
    assert len(session.labels.names) == 2
    assert click_support(session, in_view(10.9, 20)) == []  # 9 pixels of the view
    assert len(session.labels.names) == 3


def test_a_click_that_adds_nothing_reaches_farther(session):
    session.mode = MOVE
    click_support(session, in_view(11, 21))
    assert session.selected == 0


def test_move_takes_the_selected_point_to_the_click(session):
    actions.set_mode(session, MOVE)
    click_support(session, in_view(30, 30))
    assert session.selected is None  # nothing was selected yet
    click_support(session, in_view(40, 50))
    click_support(session, in_view(30, 31))
    np.testing.assert_allclose(session.current_shot().points[1], [30, 31])


def test_two_clicks_connect_and_disconnect(session):
    actions.set_mode(session, CONNECT)
    for expected in (((0, 1),), ()):
        click_support(session, in_view(40, 50))
        click_support(session, in_view(5, 5))  # beside any point: start again
        click_support(session, in_view(40, 50))
        click_support(session, in_view(10, 20))
        assert session.labels.edges == expected
    actions.set_mode(session, 'no such mode')
    assert session.mode == CONNECT
    actions.drag_on_support(session, f'[{in_view(10, 20)}, {in_view(2, 3)}, 17]')
    assert session.selected is None  # the next click begins a line


def test_a_drag_moves_the_point_that_it_starts_on(session):
    actions.drag_on_support(session, f'[{in_view(10, 20)}, {in_view(2, 3)}, 17]')
    np.testing.assert_allclose(session.current_shot().points[0], [2, 3], atol=1e-9)
    before = session.labels
    actions.drag_on_support(session, f'[{in_view(30, 3)}, {in_view(2, 3)}, 18]')
    assert session.labels is before


def test_a_drag_beyond_the_border_ends_at_the_border(session):
    actions.drag_on_support(session, f'[{in_view(10, 20)}, [-50, 9000], 1]')
    np.testing.assert_allclose(session.current_shot().points[0], [0, 59])


@pytest.mark.parametrize(
    'text', ['', '[', '[1]', '[[1], 2]', '{}', '[["a"], [1]]', '7']
)
def test_a_drag_that_makes_no_sense_is_refused(session, text):
    with pytest.raises(ConfigError):
        actions.drag_on_support(session, text)


def test_a_prediction_is_corrected_by_drag_and_by_two_clicks(session):
    session.correct_point(0, [20, 20])
    drag_query(session, in_view(20, 20), in_view(25, 26))
    pose = session.current_query()
    np.testing.assert_allclose(pose.points[0], [25, 26])
    click_query(session, in_view(25, 26))
    assert session.query_selected == 0
    assert session.selected == 1  # that of the support picture
    click_query(session, in_view(50, 5))
    np.testing.assert_allclose(session.current_query().points[0], [50, 5], atol=1e-9)
    click_query(session, in_view(30, 30))  # nothing is selected any more
    np.testing.assert_allclose(session.current_query().points[0], [50, 5], atol=1e-9)
    actions.select_query_row(session, [0, 2])
    actions.say_absent(session)
    assert not session.current_query().is_placed.any()
    with pytest.raises(ConfigError, match='click the point'):
        actions.say_absent(session)


def test_a_typed_cell_renames_moves_unmarks_or_announces(session):
    rows = views.support_rows(session)
    assert rows == [[1, 'point 1', '10.0', '20.0'], [2, 'point 2', '40.0', '50.0']]
    apply_rows(session, [[1, 'nose', '10.0', '20.0'], [2, 'point 2', '41', '50.0']])
    assert session.labels.names == ('nose', 'point 2')
    np.testing.assert_allclose(session.current_shot().points[1], [41, 50])
    kept = session.current_shot().points[0]
    np.testing.assert_allclose(kept, [10, 20], atol=1e-9)
    rows = views.support_rows(session)
    apply_rows(session, [[*rows[0][:2], '', None], rows[1], ['', 'tail', '', '']])
    assert session.current_shot().is_placed.tolist() == [False, True, False]
    assert session.labels.names == ('nose', 'point 2', 'tail')
    with pytest.raises(ConfigError, match='Delete point'):
        apply_rows(session, rows[:1])


def test_delete_without_selection_takes_the_last(session):
    session.selected = None
    actions.delete_point(session)
    actions.delete_point(session)
    with pytest.raises(ConfigError, match='no point'):
        actions.delete_point(session)


def test_names_may_be_separated_in_several_ways(session):
    actions.set_names(session, ' nose; left ear,\n,tail ')
    assert session.labels.names == ('nose', 'left ear', 'tail')


def test_view_shows_the_point_in_its_colour_and_hides_below_threshold(session):
    pose = session.current_query()
    points = np.array([[10.0, 20.0], [40.0, 50.0]])
    pose = pose.predict(points, np.array([1.0, 0.2]), np.ones(2, bool))
    bare = pose.picture.view()[..., ::-1]
    (x, y), (sure_x, sure_y) = np.rint([in_view(40, 50), in_view(10, 20)]).astype(int)
    for threshold, is_shown in ((0.1, True), (0.2, True), (0.21, False)):
        view = views.draw_view(pose, (), None, threshold)
        assert view.shape == (600, 640, 3)
        assert (view[y, x] != bare[y, x]).any() == is_shown
        assert tuple(view[sure_y, sure_x].tolist()) == keypoint_colors(2)[0][::-1]
    ringed = views.draw_view(pose, (), 0)
    assert (ringed != views.draw_view(pose, ())).any()


def test_hints_say_what_the_next_click_does(session):
    assert session.mode == ADD
    assert 'adds point 3' in views.support_hint(session)
    session.set_names(['point 1', 'point 2', 'tail'])
    assert '3 tail' in views.support_hint(session)
    assert 'b_*1*.png' in views.query_hint(session)
    assert views.escaped('b_*1*<i>') == r'b\_\*1\*&lt;i&gt;'
    assert 'Picture 1 of 1' in views.query_hint(session)
    assert views.thumbnails(session)[0][1] == 'not predicted: b_*1*.png'
