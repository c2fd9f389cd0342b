"""A tiny checkpoint, and inferencers made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from predict_cases import marked, write_checkpoint

from cape_mm.inference import CapeInferencer


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory) -> Path:
    """Random weights with the config's text."""
    return write_checkpoint(tmp_path_factory.mktemp('checkpoint') / 'epoch_1.pth')


@pytest.fixture(scope='session')
def shared_inferencer(checkpoint) -> CapeInferencer:
    """Set no support on this one."""
    return marked(CapeInferencer(checkpoint=checkpoint, device='cpu'))


@pytest.fixture
def inferencer(shared_inferencer) -> CapeInferencer:
    """With one marked picture of four keypoints."""
    return marked(shared_inferencer)
