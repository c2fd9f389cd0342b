"""One pair of processes for all tests that look at what two processes do."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from rank_launch import free_port, rank_environment
from rank_runs import train_exactly
from torch import Tensor


@dataclass(frozen=True)
class Pair:
    """What two processes left behind, and the same training in one process.

    Attributes:
        folder: files of the pair.
        ranks: what each process saw.
        outputs: what each process printed.
        moved: how far the weights went, by process.
        alone: the notes of the single process.
        alone_moved: how far its weights went.
    """

    folder: Path
    ranks: list[dict]
    outputs: list[str]
    moved: list[Tensor]
    alone: list[dict]
    alone_moved: Tensor


@pytest.fixture(scope='session')
def pair(synthetic_root, tmp_path_factory) -> Pair:
    """Two processes over gloo and, at the same time, a single one here."""
    folder = tmp_path_factory.mktemp('pair')
    script, port = Path(__file__).with_name('rank_runs.py'), free_port()
    workers = [
        subprocess.Popen(
            [sys.executable, str(script), str(folder), str(synthetic_root)],
            env=rank_environment(
                RANK=rank,
                LOCAL_RANK=rank,
                WORLD_SIZE=2,
                MASTER_ADDR='127.0.0.1',
                MASTER_PORT=port,
            ),
            stdout=(folder / f'output{rank}').open('w'),
            stderr=subprocess.STDOUT,
        )
        for rank in (0, 1)
    ]
    alone, alone_moved = train_exactly(folder / 'alone', str(synthetic_root), 2)
    codes = [worker.wait(timeout=120) for worker in workers]
    outputs = [(folder / f'output{rank}').read_text() for rank in (0, 1)]
    assert codes == [0, 0], '\n'.join(outputs)[-6000:]
    ranks = [json.loads((folder / f'rank{rank}.json').read_text()) for rank in (0, 1)]
    moved = [torch.load(folder / f'moved{rank}.pth') for rank in (0, 1)]
    return Pair(folder, ranks, outputs, moved, alone, alone_moved)
