"""A session of the page: new, with marked points, with predictions."""

from __future__ import annotations

import pytest
from demo_cases import LIMITS, png
from predict_cases import KEYPOINTS, write_checkpoint

from cape_mm.demo import DemoSession
from cape_mm.inference import CapeInferencer


@pytest.fixture(scope='session')
def inferencer(tmp_path_factory) -> CapeInferencer:
    """Random weights."""
    path = write_checkpoint(tmp_path_factory.mktemp('weights') / 'epoch_1.pth')
    return CapeInferencer(checkpoint=path, device='cpu')


@pytest.fixture
def session(inferencer) -> DemoSession:
    return DemoSession(inferencer, LIMITS)


@pytest.fixture
def marked(session) -> DemoSession:
    """Four points with two edges on one picture."""
    session.add_support('bird 1.png', png(0))
    for point in KEYPOINTS:
        session.add_point(point)
    session.toggle_edge(1, 0)
    session.toggle_edge(1, 2)
    return session


@pytest.fixture
def predicted(marked) -> DemoSession:
    """The same with two predictions."""
    marked.add_queries([('a.png', png(1)), ('b.png', png(2))])
    marked.predict()
    marked.set_threshold(0)
    return marked
