"""Makes the files of a plan, each one complete or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mmengine.utils import ProgressBar

from ...errors import ConfigError
from .plan import Action, Plan, PlanEntry

_MAKERS: dict[str, Callable[[str, Path], object]] = {
    'symlink': lambda source, target: os.symlink(source, target),
    'hardlink': lambda source, target: os.link(os.path.realpath(source), target),
    'copy': lambda source, target: shutil.copy2(source, target),
}
MODES = tuple(_MAKERS)

_ADVICE = {
    errno.ENOSPC: 'The disk is full: make room',
    errno.EDQUOT: 'The disk quota is used up: make room',
    errno.EXDEV: 'The source is on another file system: use --mode symlink or copy',
    errno.EROFS: 'The folder is read-only: choose another --data-root',
    errno.EACCES: 'Get the right to read the one and write the other',
    errno.EPERM: 'This file system allows no such link: try another --mode',
    errno.EEXIST: 'Something appeared there meanwhile: look at it',
}


def make_files(plan: Plan, mode: str = 'symlink') -> int:
    """Link or copy everything that the plan says is to be made.

    Sources are only read. A file that is in place is never replaced, except a broken
    link. Whatever interrupts this, the same call goes on where it stopped.

    Args:
        plan: what to do; its sources and targets as they were then.
        mode: 'symlink' (absolute links), 'hardlink' or 'copy'.

    Returns:
        How many files were made.

    Raises:
        ConfigError: the mode is unknown, or the operating system refuses.
    """
    if mode not in MODES:
        raise ConfigError(f'mode {mode!r} is none of {", ".join(MODES)}')
    todo = plan.to_write
    bar = ProgressBar(len(todo)) if mode == 'copy' and todo else None
    for num_done, entry in enumerate(todo):
        try:
            entry.target.parent.mkdir(parents=True, exist_ok=True)
            _make(entry, mode)
        except OSError as error:
            if bar is not None:
                print()  # the message is no part of the bar's line
            raise ConfigError(_explain(error, entry, num_done, len(todo))) from error
        if bar is not None:
            bar.update()
    return len(todo)


def _make(entry: PlanEntry, mode: str) -> None:
    source, target = str(entry.match.path), entry.target
    if entry.action is Action.REPLACE:
        _via_partial(source, target, mode, may_replace_link=True)
    elif mode == 'copy':
        _via_partial(source, target, mode, may_replace_link=False)
    else:
        _MAKERS[mode](source, target)  # atomic, and fails where something is there


def _via_partial(source: str, target: Path, mode: str, may_replace_link: bool) -> None:
    """Make a file beside the target and rename it.

    The name beside is always the same, so that what a killed run left there is gone
    once the run is repeated.
    """
    partial = target.with_name(f'.{target.name}.partial')
    partial.unlink(missing_ok=True)
    try:
        _MAKERS[mode](source, partial)
        is_free = not os.path.lexists(target)
        if not is_free and not (may_replace_link and target.is_symlink()):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _explain(error: OSError, entry: PlanEntry, num_done: int, num_all: int) -> str:
    advice = _ADVICE.get(error.errno or 0, 'Mend the cause')
    return (
        f'{entry.target} could not be made from {entry.match.path}: '
        f'{error.strerror or error}. {advice}, then run the same command again: the '
        f'{num_done:,} of {num_all:,} files made so far are complete, and it goes on '
        f'from there.'
    )
