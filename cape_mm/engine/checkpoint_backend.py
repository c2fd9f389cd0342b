"""The file backend of checkpoints: each is complete, or not there."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from ..utils.atomic_write import write_bytes_atomically

BACKEND_NAME = 'atomic_local'


class AtomicLocalBackend(LocalBackend):
    """``LocalBackend`` that writes beside, waits for the disk and renames."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file; an older one of that name is there until the new one is.

        Raises:
            OSError: the file can not be written; an older one is as it was.
        """
        write_bytes_atomically(filepath, obj)


class LateRemoval:
    """A file backend that only notes what it is to remove.

    Args:
        backend: does everything else.
    """

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend
        self.paths: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self.backend, name)

    def remove(self, filepath: str | Path) -> None:
        """Note the file."""
        self.paths.append(str(filepath))

    rmtree = remove

    @property
    def names(self) -> list[str]:
        """Names of the files to be removed, without their folders."""
        return [Path(path).name for path in self.paths]


register_backend(BACKEND_NAME, AtomicLocalBackend, force=True)
