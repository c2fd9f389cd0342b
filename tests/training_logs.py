"""Work directories as trainings leave them, without a training."""

from __future__ import annotations

import json
from pathlib import Path

SESSIONS = ('20260101_100000', '20260101_110000', '20260101_120000')
ITERS_PER_EPOCH = 20


def write_session(
    work_dir: Path, name: str, rows: list[dict], tail: bytes = b''
) -> Path:
    """The scalar file of one start of a training, with bytes after its last line."""
    path = work_dir / name / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ''.join(json.dumps(row) + '\n' for row in rows)
    path.write_bytes(lines.encode() + tail)
    return path


def train_row(iteration: int, loss: float, **more) -> dict:
    """What a training step logs."""
    epoch = -(-iteration // ITERS_PER_EPOCH)
    fields = dict(epoch=epoch, iter=iteration, step=iteration, time=0.1)
    return dict(lr=1e-3 / iteration, loss=loss) | fields | more


def val_row(epoch: int, value: float, **more) -> dict:
    """What a validation logs."""
    metrics = {'PCK@0.2': value, 'copy_support/PCK@0.2': 0.4, 'NME': 1 - value}
    return metrics | dict(time=7.0, step=epoch) | more


def write_run(work_dir: Path, start: float = 16.0, best: float = 0.6) -> Path:
    """A training of 3 epochs that nothing interrupted."""
    rows = []
    for epoch in (1, 2, 3):
        rows += [
            train_row(i, start / i)
            for i in range((epoch - 1) * ITERS_PER_EPOCH + 10, 1 + epoch * 20, 10)
        ]
        rows.append(val_row(epoch, best - abs(epoch - 2) / 10))
    write_session(work_dir, SESSIONS[0], rows)
    return work_dir
