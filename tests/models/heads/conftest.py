"""An encoded batch and a head that the tests of autoregression share."""

from __future__ import annotations

import pytest
import torch
from tiny_cape import random_context

from cape_mm.models.heads import EpisodeContext

EDGES = ([(0, 1), (1, 2), (2, 3), (3, 4)], [(0, 5), (5, 1), (2, 3)], [])


@pytest.fixture
def context(rng) -> EpisodeContext:
    """Rows with 5, 4 and 3 known keypoints of 6 and three different skeletons."""
    is_known = torch.ones(3, 6, dtype=torch.bool)
    is_known[0, 2] = is_known[1, [0, 4]] = is_known[2, [1, 2, 5]] = False
    return random_context(rng, EDGES, is_known)
