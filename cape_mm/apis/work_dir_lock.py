"""One training at a time in a work directory."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.logging import print_log

from ..errors import WorkDirInUseError
from .launching import SOURCES

LOCK_NAME = '.training.lock'
BUSY = (errno.EACCES, errno.EAGAIN)


@contextmanager
def locked_work_dir(work_dir: str | Path, launcher: str = 'none') -> Iterator[None]:
    """Keep other trainings out of a folder.

    The system itself takes the lock away when the process ends, in whatever way, so
    there are no stale ones. It is not handed on to data loading processes, and holds
    between the machines of a network file system that knows locks.

    Args:
        work_dir: the folder; made where needed.
        launcher: of several launched processes only the first locks.

    Raises:
        WorkDirInUseError: another process is training there.
    """
    rank = os.environ.get(SOURCES[launcher]['RANK']) if launcher in SOURCES else None
    if int(rank or 0) != 0:
        yield
        return
    path = Path(work_dir) / LOCK_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        _lock(handle, path)
        yield
    finally:
        os.close(handle)  # gives the lock back


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in BUSY:
            print_log(f'no lock on {path}: {error.strerror}', 'current', level=30)
            return
        holder = os.read(handle, 200).decode('utf-8', 'replace').strip()
        raise WorkDirInUseError(
            f'another run is training in {path.parent} ({holder or "no name left"}). '
            f'Two would overwrite each other: wait for it, end it, or use another '
            f'work_dir.'
        ) from error
    os.ftruncate(handle, 0)
    os.write(handle, f'process {os.getpid()} on {socket.gethostname()}'.encode())
