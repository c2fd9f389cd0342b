"""Folds of toy runs, and tools that only pretend to train and test."""

from __future__ import annotations

import pytest
from fold_cases import FakeTools

from cape_mm.analysis.kfold import KFold


@pytest.fixture
def tools() -> FakeTools:
    return FakeTools()


@pytest.fixture
def kfold(toy_config, tmp_path) -> KFold:
    """Three folds of a config whose data roots differ."""
    options = ('data_root=data_{split}', 'randomness.seed=5')
    return KFold(toy_config, tmp_path / 'folds', (1, 2, 3), options)
