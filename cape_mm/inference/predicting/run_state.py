"""Which run a folder of results belongs to, so that it goes on or is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ...errors import ConfigError
from ...utils.atomic_write import write_text_atomically
from ...visualization.picture_files import try_folder
from .parts import remove_parts

NAME = 'run.json'


def claim_folder(
    out: str | Path, settings: dict[str, object], targets: Iterable[str], force: bool
) -> Path:
    """Make a folder the one of this run, or recognise it as such.

    Args:
        out: the folder.
        settings: what every prediction depends on.
        targets: names of the files and folders that the run writes.
        force: replace what another run left.

    Returns:
        The folder.

    Raises:
        ConfigError: it can't be written, or holds results of another run.
    """
    folder = try_folder(out)
    path = folder / NAME
    known = _read(path)
    plain = json.loads(json.dumps(settings))
    if known == plain:
        return folder
    in_the_way = [name for name in (NAME, *targets) if (folder / name).exists()]
    if in_the_way and not force:
        raise ConfigError(
            f'--out {out} holds results of another run ({_describe(known, plain)}): '
            f'{", ".join(in_the_way)}. Name another folder, or replace them with '
            f'--force.'
        )
    remove_parts(folder)
    try:
        write_text_atomically(path, json.dumps(settings, indent=1) + '\n')
    except OSError as error:
        raise ConfigError(f'--out {out}: {error}') from error
    return folder


def _read(path: Path) -> dict | None:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _describe(known: dict | None, settings: dict) -> str:
    if known is None:
        return 'or other files'
    changed = [key for key in settings if known.get(key) != settings[key]]
    return f'other {", ".join(changed)}'
