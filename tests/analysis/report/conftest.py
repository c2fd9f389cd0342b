"""Curves that cost no time, for tests that do not look at them."""

from __future__ import annotations

import pytest

from cape_mm.analysis.report import curves
from cape_mm.analysis.report.blocks import Figure


@pytest.fixture
def quick_curves(monkeypatch):
    """Put an empty picture in the place of every curve."""

    def figure(name, caption, draw):
        return Figure(name, b'<svg/>', 'svg', caption)

    monkeypatch.setattr(curves, '_figure', figure)
