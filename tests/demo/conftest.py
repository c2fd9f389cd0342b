"""A session of the page, and the page's application."""

from __future__ import annotations

import pytest
from demo_cases import LIMITS, OTHER, QUERY, SUPPORT, png
from predict_cases import write_checkpoint

from cape_mm.demo import DemoSession
from cape_mm.inference import CapeInferencer


@pytest.fixture(scope='session')
def weights(tmp_path_factory):
    """A checkpoint of random weights."""
    return write_checkpoint(tmp_path_factory.mktemp('weights') / 'epoch_1.pth')


@pytest.fixture(scope='session')
def inferencer(weights) -> CapeInferencer:
    return CapeInferencer(checkpoint=weights, device='cpu')


@pytest.fixture
def session(inferencer) -> DemoSession:
    """Has three pictures."""
    session = DemoSession(inferencer, LIMITS)
    for seed, key in enumerate((SUPPORT, QUERY, OTHER)):
        session.add_picture(key, f'{key[0]}.png', png(seed))
    return session
