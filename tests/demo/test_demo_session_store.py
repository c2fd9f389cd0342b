"""Several users of the page."""

from __future__ import annotations

import threading

import numpy as np
from demo_cases import png
from predict_cases import KEYPOINTS

from cape_mm.demo import DemoSession
from cape_mm.demo.session import SessionStore


def test_users_have_supports_of_their_own(inferencer):
    one, other = DemoSession(inferencer), DemoSession(inferencer)
    for session, seed in ((one, 0), (other, 5)):
        session.add_support('a.png', png(seed))
        session.add_point(KEYPOINTS[seed % 4])
        session.add_queries([('q.png', png(1))])
    one.predict()
    alone = one.current_query().points
    threads = [threading.Thread(target=s.predict) for s in (one, other) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(one.current_query().points, alone, atol=1e-4)
    assert one.inferencer.support is not other.inferencer.support
    assert one.inferencer.model is other.inferencer.model


def test_store_keeps_the_sessions_that_were_used_last(inferencer):
    store = SessionStore(lambda: DemoSession(inferencer), limit=2)
    for key in ('a', 'b'):
        with store.use(key) as session:
            session.set_category(key)
    with store.use('a') as session:
        assert session.category == 'a'
    with store.use('c'):
        pass
    assert len(store) == 2
    with store.use('a') as session:
        assert session.category == 'a'
    assert [store.was_dropped(key) for key in 'abcb'] == [False, True, False, False]
    with store.use('b') as session:
        assert session.category == 'object'
    assert store.was_dropped('c')
    store.drop('b')
    assert len(store) == 1
