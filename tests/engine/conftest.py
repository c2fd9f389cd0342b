"""The toy model and data set as a fixture."""

from __future__ import annotations

from types import ModuleType

import pytest
import toy_runner


@pytest.fixture(scope='session')
def toy() -> ModuleType:
    """The module ``tests/toy_runner.py``."""
    return toy_runner
