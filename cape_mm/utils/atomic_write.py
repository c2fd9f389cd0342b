"""Files that are either complete or not there: written beside, then renamed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PARTIAL_SUFFIX = '.partial'
"""End of the name of a file that is being written."""


def write_text_atomically(path: str | Path, text: str, durable: bool = False) -> Path:
    """Write a UTF-8 text file, so that it is never half written.

    Args:
        path: the file; its folder is made where needed, an older file is replaced.
        text: the whole content.
        durable: see :func:`write_bytes_atomically`.

    Returns:
        The path.

    Raises:
        OSError: the file can not be written; an older file is then still there.
    """
    return write_bytes_atomically(path, text.encode('utf-8'), durable)


def write_bytes_atomically(
    path: str | Path, content: bytes | memoryview, durable: bool = True
) -> Path:
    """Write a file, so that it is never half written.

    Args:
        path: the file; its folder is made where needed, an older file is replaced.
        content: the whole content.
        durable: wait for the disk, so that the file also survives a power failure.

    Returns:
        The path.

    Raises:
        OSError: the file can not be written; an older file is then still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(PARTIAL_SUFFIX, f'.{path.name}.', path.parent)
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's files are readable by their owner only
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)
    return path


def remove_partial_files(folder: str | Path, name_pattern: str) -> list[Path]:
    """Remove what killed processes left of files that they were writing.

    Args:
        folder: where; nobody else may be writing there now.
        name_pattern: of the files that were meant, e.g. ``'epoch_*.pth'``.

    Returns:
        What was removed.
    """
    found = list(Path(folder).glob(f'.{name_pattern}.*{PARTIAL_SUFFIX}'))
    for path in found:
        path.unlink(missing_ok=True)
    return found


def _sync_folder(folder: Path) -> None:
    """Have a rename survive a power failure; not every system can."""
    if os.name != 'posix':
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems know no such thing
    finally:
        os.close(handle)
