"""Files that are either complete or not there: written beside, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigError

PARTIAL_SUFFIX = '.partial'
"""End of the name of a folder in which a file is being written."""
MAX_PREFIX = 100
"""Bytes of the file's own name before it."""


@contextmanager
def replacing(path: str | Path, durable: bool = False) -> Iterator[Path]:
    """A place to write a file or folder at, which gets its name when it is complete.

    Args:
        path: what is to be written; the folder that it is in is made where needed, and
            an older file is replaced.
        durable: wait for the disk, so that a file also survives a power failure.

    Yields:
        A path of the same name in a folder of its own; nothing is there yet.

    Raises:
        OSError: it can not be written; what was there before still is.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    start = os.fsencode(path.name)[:MAX_PREFIX].decode('utf-8', 'ignore')
    with tempfile.TemporaryDirectory(
        PARTIAL_SUFFIX, f'.{start}.', path.parent
    ) as folder:
        partial = Path(folder) / path.name
        yield partial
        if durable:
            _sync(partial)
        os.replace(partial, path)
    if durable and os.name == 'posix':
        _sync(path.parent)


def write_text_atomically(path: str | Path, text: str, durable: bool = False) -> Path:
    """Write a UTF-8 text file; arguments as :func:`write_bytes_atomically`."""
    return write_bytes_atomically(path, text.encode('utf-8'), durable)


def write_bytes_atomically(
    path: str | Path, content: bytes | memoryview, durable: bool = True
) -> Path:
    """Write a file, so that it is never half written.

    Args:
        path: the file.
        content: the whole content.
        durable: see :func:`replacing`.

    Returns:
        The path.

    Raises:
        OSError: the file can not be written; an older file is then still there.
    """
    with replacing(path, durable) as partial:
        partial.write_bytes(content)
    return Path(path)


def remove_partial_files(folder: str | Path, name_pattern: str) -> list[Path]:
    """Remove what killed processes left of files that they were writing.

    Args:
        folder: where; nobody else may be writing there now.
        name_pattern: of the files that were meant, e.g. ``'epoch_*.pth'``.

    Returns:
        What was removed.
    """
    found = Path(folder).glob(f'.{name_pattern}.*{PARTIAL_SUFFIX}')
    found = [path for path in found if not path.is_symlink()]
    for path in found:
        shutil.rmtree(path)
    return found


def _sync(path: Path) -> None:
    """Wait for the disk; some network file systems can not for a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(handle)


def try_folder(out: str | Path, option: str = 'out') -> Path:
    """A folder for results, made where needed, in which a file can be written.

    Meant to be called before the results are made, which takes long.

    Args:
        out: the folder.
        option: that named it, for the message.

    Raises:
        ConfigError: nothing can be written there.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f'{option} {out}: no file can be written there ({error.strerror}). Name '
            f'another folder.'
        ) from error
    return folder


def try_file(path: str | Path | None, option: str) -> None:
    """Check that a file can be written; None is none.

    Raises:
        ConfigError: a folder has its name, or its own folder can't be written to.
    """
    if path is None:
        return
    if Path(path).is_dir():
        raise ConfigError(f'{option} {path}: this is a folder. Name a file.')
    try_folder(Path(path).parent, option)
