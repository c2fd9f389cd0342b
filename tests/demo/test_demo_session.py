"""What the server does for a user, and for several."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from demo_cases import LIMITS, OTHER, QUERY, SUPPORT, png, work_of
from predict_cases import KEYPOINTS, SKELETON, make_picture
from test_demo_work import read

from cape_mm.demo import DemoSession
from cape_mm.demo.pictures import Limits
from cape_mm.demo.session import (
    SPARE_PICTURES,
    MissingPicturesError,
    NoRoomError,
    SessionStore,
)
from cape_mm.errors import ConfigError


def test_predictions_are_those_of_the_inferencer(session, inferencer):
    box = [5, 6, 40, 30]
    work = read(work_of({QUERY: [None], OTHER: [box, [1, 1, 60, 50]]}, box=box))
    found = session.predict(work, {10, 11})
    inferencer.set_support(make_picture(0), KEYPOINTS, SKELETON, bbox=box)
    for key, seed, boxes in ((10, 1, None), (11, 2, [box])):
        (expected,) = inferencer(make_picture(seed), boxes)
        np.testing.assert_allclose(found[key][:, :2], expected.keypoints[0], atol=1e-4)
        np.testing.assert_allclose(found[key][:, 2], expected.confidence[0], atol=1e-5)
    assert set(found) == {10, 11}


def test_a_point_that_no_support_marks_is_not_predicted(session):
    work = work_of()
    del work['pictures'][0]['objects'][0]['points']['2']
    found = session.predict(read(work), {10})[10]
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False, False]


def test_a_right_prediction_becomes_a_support_and_changes_the_next(session):
    work = work_of({QUERY: [None], OTHER: [None]})
    before = session.predict(read(work), {11})[11]
    work['pictures'][1]['objects'][0] |= dict(shot=True, points={'1': [33, 44]})
    after = session.predict(read(work), {11})[11]
    assert session.inferencer.support.num_shots == 2
    assert not np.array_equal(before, after)


def test_the_same_support_is_encoded_once(session, monkeypatch):
    work = read(work_of())
    session.predict(work, {10})
    support = session.inferencer.support
    session.predict(read(work_of()), {10})
    assert session.inferencer.support is support
    session.add_picture(SUPPORT, 'a.png', png(5))  # another file in its place
    session.predict(work, {10})
    assert session.inferencer.support is not support


def test_pictures_that_are_not_there_are_asked_for(inferencer):
    session, work = DemoSession(inferencer, LIMITS), read(work_of({QUERY: [None] * 2}))
    with pytest.raises(MissingPicturesError) as caught:
        session.predict(work, {10, 11})
    assert caught.value.keys == [SUPPORT, QUERY]
    session.add_picture(QUERY, 'b.png', png(1))
    for number in range(LIMITS.max_queries + LIMITS.max_shots + SPARE_PICTURES):
        session.add_picture(f'{number:020}', 'c.png', png(2))
    with pytest.raises(MissingPicturesError) as caught:
        session.predict(work, {10})
    assert caught.value.keys == [SUPPORT, QUERY]  # the oldest made room


@pytest.mark.parametrize(
    ('points', 'message'),
    [({}, 'mark points on a support picture'), ({'1': [164, 3]}, 'outside')],
)
def test_an_impossible_support_says_why(session, points, message):
    work = work_of()
    work['pictures'][0]['objects'][0]['points'] = points
    with pytest.raises(ConfigError, match=message):
        session.predict(read(work), {10})


def test_users_have_supports_of_their_own(inferencer):
    users, works = [], []
    for seed in range(4):
        session, work = DemoSession(inferencer, LIMITS), work_of()
        session.add_picture(SUPPORT, 'a.png', png(10 + seed))
        session.add_picture(QUERY, 'b.png', png(1))
        work['pictures'][0]['objects'][0]['points'] = {'1': KEYPOINTS[seed].tolist()}
        users.append(session)
        works.append(read(work))
    alone = [user.predict(work, {10})[10] for user, work in zip(users, works)]
    found = {}

    def predict(place: int) -> None:
        user, work = users[place % 4], works[place % 4]
        user._support_key = None  # encode it again
        found[place] = user.predict(work, {10})[10]

    threads = [threading.Thread(target=predict, args=(place,)) for place in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in range(12):
        np.testing.assert_allclose(found[place], alone[place % 4], atol=1e-4)
    assert users[0].inferencer.model is users[1].inferencer.model


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(inferencer, clock) -> SessionStore:
    """For two users with 2000 bytes."""
    limits = Limits(max_sessions=2, max_total_bytes=2000, idle_seconds=60)
    return SessionStore(lambda: DemoSession(inferencer, limits), limits, clock)


def visit(store: SessionStore, key: str) -> DemoSession:
    with store.use(key) as session:
        return session


def test_who_works_keeps_the_place_and_the_next_is_told(store, clock):
    first, second = visit(store, 'a'), visit(store, 'b')
    clock.now = 59
    with pytest.raises(NoRoomError, match=r'2 people use this page.*kept in your'):
        visit(store, 'c')
    assert visit(store, 'a') is first
    clock.now = 61  # b did nothing for a minute
    visit(store, 'c')
    assert visit(store, 'a') is first
    with pytest.raises(NoRoomError):
        visit(store, 'b')
    store.drop('c')
    assert visit(store, 'b') is not second
    assert len(store) == 2


def test_a_user_who_waits_for_an_answer_is_not_idle(store, clock):
    with store.use('a'):
        visit(store, 'b')
        clock.now = 1000
        visit(store, 'c')
        with pytest.raises(NoRoomError):
            visit(store, 'd')


def test_memory_is_bounded_and_idle_users_make_room(store, clock):
    size = len(png(0))
    visit(store, 'a').add_picture(SUPPORT, 'a.png', png(0))
    store.check_memory(2000 - size)
    with pytest.raises(NoRoomError, match='memory for pictures is full'):
        store.check_memory(2001 - size)
    clock.now = 61
    store.check_memory(2000)
    assert len(store) == 0
