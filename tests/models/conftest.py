"""Fixtures of the model's tests; builders are in ``tests/tiny_cape.py``."""

from __future__ import annotations

import pytest
import tiny_cape
import torch
from torch import nn


@pytest.fixture
def rng() -> torch.Generator:
    """A seeded generator of the test's own."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope='module')
def cape() -> nn.Module:
    """A tiny random model in float64; tests leave its weights alone."""
    return tiny_cape.build_cape()


@pytest.fixture(autouse=True)
def _seed_layers():
    """Weights that a test creates are the same in every run and any order."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
