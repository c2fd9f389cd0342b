"""A process that dies or hangs takes the whole run down, and says so."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from broken_ranks import CONFIG
from rank_launch import rank_environment
from tool_calls import FAST, REPO, TINY

PATIENCE = 60.0
"""Seconds from the fault to the end of everything; 45 of them are for slow machines."""
TIMEOUT = 4
EXPECTED = {
    'kill': ('rank      : 1 (local_rank: 1)', 'Signal 9 (SIGKILL) received by PID'),
    'raise': ('ArithmeticError: this process broke on purpose',),
    'hang': (
        'error (rank 0): the processes of this run lost each other',
        'Timed out waiting',
        '--resume',
    ),
}
"""By fault: what names it in the output."""


@pytest.mark.parametrize('fault', EXPECTED)
def test_a_lost_process_ends_the_run(fault, synthetic_root, tmp_path):
    config = tmp_path / 'broken.py'
    timeout = TIMEOUT if fault == 'hang' else 1800
    config.write_text(CONFIG.format(base=str(TINY), fault=fault, timeout=timeout))
    options = [
        *FAST,
        *('train_dataloader.num_workers=1', f'data_root={synthetic_root}'),
        *('optim_wrapper.accumulative_counts=1',),
        *('train_dataloader.sampler.episodes_per_epoch=16',),
    ]
    command = ['bash', str(REPO / 'tools/dist_train.sh'), str(config), '2']
    started = time.monotonic()
    # The streams end with the last process that holds them, data workers included.
    result = subprocess.run(
        [*command, '--no-validate', '--work-dir', str(tmp_path / 'work'), *options],
        env=rank_environment(PYTHON=sys.executable),
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=PATIENCE + 60,
    )
    assert time.monotonic() - started < PATIENCE
    assert result.returncode == 1
    assert '[1/4]' in result.stdout, result.stderr[-4000:]
    assert '[2/4]' not in result.stdout
    for text in ('Root Cause', *EXPECTED[fault]):
        assert text in result.stderr, result.stderr[-4000:]
