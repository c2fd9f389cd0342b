"""The environment of processes that a test launches."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tool_calls import REPO


def rank_environment(**variables: str | int) -> dict[str, str]:
    """Environment of a launched process that finds the package and the tests."""
    paths = (REPO, REPO / 'tests', Path(__file__).parent)
    own = dict(OMP_NUM_THREADS='1', PYTHONPATH=os.pathsep.join(map(str, paths)))
    return {**os.environ, **own, **{name: str(v) for name, v in variables.items()}}


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
