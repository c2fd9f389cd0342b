"""A few of the kills of ``kill_and_resume.py``, on the real model and data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SCRIPT = REPO / 'tests/reliability/kill_and_resume.py'


def test_killed_and_resumed_training_equals_an_untouched_one(synthetic_root, tmp_path):
    arguments = ['--data', str(synthetic_root), '--kills', '2', '--epochs', '2']
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments, '--out', str(tmp_path)],
        cwd=REPO,
        env={**os.environ, 'PYTHONPATH': str(REPO), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert '2 kills' in result.stdout
    assert result.stdout.rstrip().endswith('all equal to the uninterrupted one')
