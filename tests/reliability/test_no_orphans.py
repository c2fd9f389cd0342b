"""Whatever ends a training, its data loading processes end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tool_calls import FAST, REPO, TINY

PROC = Path('/proc')
pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason='no /proc to look into')
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""After SIGKILL, which cannot be answered, workers notice within some 5 seconds."""


def children_of(pid: int) -> set[int]:
    """Processes that a process started."""
    found = set()
    for path in PROC.glob('[0-9]*/stat'):
        try:
            fields = path.read_text().rpartition(')')[2].split()
        except OSError:
            continue  # gone meanwhile
        if int(fields[1]) == pid and fields[0] != 'Z':
            found.add(int(path.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return (PROC / f'{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def wait_until(condition, seconds: float) -> float:
    """Seconds until something holds; fails where it takes longer."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, 'it took too long'
        time.sleep(0.05)
    return time.monotonic() - start


def start(root: Path, work_dir: Path) -> subprocess.Popen:
    """A training with two workers that would take very long."""
    options = (
        *FAST,
        f'data_root={root}',
        'train_dataloader.num_workers=2',
        'train_dataloader.persistent_workers=True',
        'train_cfg.max_epochs=100000',
    )
    command = [sys.executable, 'tools/train.py', TINY, '--work-dir', work_dir]
    path = f'{REPO}{os.pathsep}{os.environ.get("PYTHONPATH", "")}'
    return subprocess.Popen(
        [*map(str, command), *options, '--no-validate'],
        cwd=REPO,
        env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.DEVNULL,
        stderr=work_dir.with_suffix('.err').open('w'),  # a pipe would fill up
        start_new_session=True,
    )


def test_no_worker_outlives_the_training(synthetic_root, tmp_path):
    runs = {kind: start(synthetic_root, tmp_path / kind.name) for kind in CODES}
    try:
        for kind, run in runs.items():  # they start at the same time
            log = tmp_path / kind.name
            wait_until(lambda: list(log.glob('epoch_*.pth')) or run.poll(), 120)  # noqa: B023
            workers = children_of(run.pid)
            assert len(workers) == 2
            if kind == signal.SIGHUP:
                os.kill(run.pid, kind)
            else:
                os.killpg(run.pid, kind)  # as terminals, timeout and systemd do
            run.wait(timeout=60)
            error = (tmp_path / f'{kind.name}.err').read_text()
            assert run.returncode == CODES[kind], error[-3000:]
            wait_until(lambda: not any(map(is_alive, workers)), 2.0)  # noqa: B023
            assert 'Traceback' not in error
            assert 'run the same command with --resume' in error
    finally:
        for run in runs.values():
            run.kill()
