"""Running the folds on this machine, one after another."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import CapeError, ConfigError, MissingDataError
from .commands import test_command, train_command
from .folds import KFold
from .report import describe_mean, format_markdown, write_reports
from .state import (
    choose_checkpoint,
    expect_writable,
    mark_finished,
    mark_trained,
    open_fold,
    read_result,
)
from .summary import summarise

EXIT_INTERRUPTED = (130, -signal.SIGINT)

Execute = Callable[[Sequence[str]], int]
"""Runs a command line and returns its exit code."""


def execute(command: Sequence[str]) -> int:
    """Run a command in a process of its own, with this one's streams."""
    environment = dict(os.environ, PYTHON=sys.executable)  # for dist_*.sh
    return subprocess.run(command, env=environment, check=False).returncode


def run_kfold(kfold: KFold, tools: Path, run: Execute = execute) -> None:
    """Run or resume all folds; those that are finished are kept.

    Args:
        kfold: the folds.
        tools: folder of ``train.py`` and ``test.py``.
        run: runs a command.

    Raises:
        CapeError: a fold's folder belongs to another config, or a command failed.
            What is finished stays finished.
    """
    for split in kfold.splits:
        kfold.config_of(split)  # before the first fold's hours, not after them
    for split in kfold.splits:
        run_fold(kfold, split, tools, run)


def run_fold(kfold: KFold, split: int, tools: Path, run: Execute = execute) -> bool:
    """Train a fold, or go on with it, and test it.

    Args:
        kfold: the folds.
        split: which of them.
        tools: folder of ``train.py`` and ``test.py``.
        run: runs a command.

    Returns:
        Whether anything was run; False where the fold was finished already.

    Raises:
        ConfigError: the split is none of the folds, or its folder belongs to another
            config.
        CapeError: a command failed.
        KeyboardInterrupt: a command was interrupted.
    """
    if split not in kfold.splits:
        raise ConfigError(f'--fold {split} is none of --splits {kfold.splits}')
    if read_result(kfold, split) is not None:
        print(f'split {split}: finished, kept ({kfold.folder(split)})')
        return False
    state = open_fold(kfold, split)
    if not state['trained']:
        _run(train_command(kfold, split, tools), f'split {split}, training', run)
        mark_trained(kfold, split, state)
    checkpoint = choose_checkpoint(kfold.folder(split))
    command = test_command(kfold, split, tools, checkpoint)
    (kfold.folder(split) / 'metrics.json').unlink(missing_ok=True)  # an unsigned one
    _run(command, f'split {split}, test', run)
    mark_finished(kfold, split, state)
    return True


def collect(kfold: KFold, allow_partial: bool = False) -> dict:
    """Aggregate the finished folds, write and print the reports.

    Args:
        kfold: the folds.
        allow_partial: give a mean, marked as partial, of what is there.

    Returns:
        The summary, see :func:`~cape_mm.analysis.kfold.summary.summarise`.

    Raises:
        MissingDataError: no fold is finished; or, once the reports are written, splits
            or data are missing and no partial mean is allowed.
        ConfigError: the folds were not measured alike.
    """
    results = {split: read_result(kfold, split) for split in kfold.splits}
    summary = summarise(results, allow_partial)
    title = f'{kfold.config} over splits {", ".join(map(str, kfold.splits))}'
    with expect_writable(kfold.work_dir):
        paths = write_reports(summary, kfold.work_dir, title)
    print(format_markdown(summary, title))
    print(f'reports: {", ".join(map(str, paths))}')
    if not summary['mean_of']:
        raise MissingDataError(f'{paths[0]}: {describe_mean(summary)}')
    return summary


def _run(command: Sequence[str], what: str, run: Execute) -> None:
    print(f'== {what}: {shlex.join(command)}', flush=True)
    code = run(command)
    if code in EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise CapeError(
            f'{what} ended with exit code {code}; its own message is above. Finished '
            f'folds and epochs are kept: run the same command again to go on.'
        )
