"""The checkpoint that the page uses where none is named."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import MissingDataError

DEMO_FOLDER = Path('work_dirs/cape_tiny')
"""Where ``make demo`` trains, relative to the folder in which the tool is started."""


def find_demo_checkpoint(folder: str | Path = DEMO_FOLDER) -> Path:
    """The last checkpoint of ``make demo``.

    Raises:
        MissingDataError: there is none.
    """
    folder = Path(folder)
    pointer = folder / 'last_checkpoint'
    if pointer.is_file():
        # it may name the folder that the run had before it was moved
        named = folder / Path(pointer.read_text(encoding='utf-8').strip()).name
        if named.is_file():
            return named
    found = sorted(folder.glob('epoch_*.pth'), key=_number)
    if found:
        return found[-1]
    raise MissingDataError(
        f'no checkpoint in {folder}: run "make demo" first, which trains a small '
        f'model, or name one of your own: python tools/demo.py CHECKPOINT'
    )


def _number(path: Path) -> int:
    found = re.search(r'\d+', path.stem)
    return int(found[0]) if found else -1
