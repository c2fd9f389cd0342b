"""Files that are either complete or not there: written beside, then renamed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_text_atomically(path: str | Path, text: str) -> Path:
    """Write a UTF-8 text file, so that it is never half written.

    Args:
        path: the file; its folder is made where needed, an older file is replaced.
        text: the whole content.

    Returns:
        The path.

    Raises:
        OSError: the file can not be written; an older file is then still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # mkstemp's files are readable by their owner only
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path
