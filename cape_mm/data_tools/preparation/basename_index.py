"""Finds files in a source folder by their base name, however deep they lie."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import MissingDataError

PACKED_SUFFIXES = ('.zip', '.rar', '.tar', '.gz', '.tgz', '.7z', '.h5')


@dataclass(frozen=True)
class BasenameIndex:
    """Files of one source folder, as far as their names were asked for.

    Attributes:
        root: the source folder, absolute.
        files: paths by base name in lower case, sorted.
        unreadable: folders that could not be listed, with the reason.
        packed: archives that lie there, perhaps still to be unpacked.
    """

    root: Path
    files: dict[str, list[str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    packed: list[str] = field(default_factory=list)

    def find(self, name: str) -> list[str]:
        """Paths of the files of this name; other case only where none has it."""
        paths = self.files.get(name.casefold(), [])
        exact = [path for path in paths if os.path.basename(path) == name]
        return exact or paths

    def folders_of(self, path: str) -> frozenset[str]:
        """Names of the root and of the folders from there to a file, lower case."""
        inner = Path(path).relative_to(self.root).parts[:-1]
        return frozenset(part.casefold() for part in (self.root.name, *inner))


def build_basename_index(
    root: str | os.PathLike, names: Iterable[str]
) -> BasenameIndex:
    """List a source folder once.

    Linked folders are followed, each real folder once, so that a link which leads back
    to a folder above it does no harm.

    Args:
        root: the source folder; nothing in it is changed.
        names: base names to remember.

    Raises:
        MissingDataError: ``root`` is no folder.
    """
    root = Path(os.path.abspath(root))
    if not os.path.isdir(root):
        raise MissingDataError(
            f'source folder not found: {root}. Give the folder where the data set was '
            f'unpacked, or leave the option out to go on without it.'
        )
    index = BasenameIndex(root)
    names = {name.casefold() for name in names}
    seen: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        index.unreadable.append(f'{error.filename}: {error.strerror}')

    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=note):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders.sort()
        _add_files(index, folder, files, names)
    for paths in index.files.values():
        paths.sort()
    return index


def _add_files(
    index: BasenameIndex, folder: str, files: list[str], names: set[str]
) -> None:
    for file in files:
        key = file.casefold()
        if key in names:
            path = os.path.join(folder, file)
            if os.path.isfile(path):  # not a broken link, nor one to itself
                index.files.setdefault(key, []).append(path)
        elif key.endswith(PACKED_SUFFIXES):
            index.packed.append(os.path.join(folder, file))
