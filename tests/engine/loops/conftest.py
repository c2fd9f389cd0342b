"""Data of the loops' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from loop_cases import copy_data


@pytest.fixture(scope='session')
def hidden_root(synthetic_root, tmp_path_factory) -> Path:
    """Synthetic data with hidden keypoints; read it, don't change it."""
    return copy_data(synthetic_root, tmp_path_factory.mktemp('hidden') / 'data')


@pytest.fixture
def own_root(synthetic_root, tmp_path) -> Path:
    """The same, to be damaged."""
    return copy_data(synthetic_root, tmp_path / 'data')
