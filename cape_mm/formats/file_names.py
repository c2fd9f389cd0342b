"""Names of written files that are made of the names of pictures."""

from __future__ import annotations

import hashlib
import os
from pathlib import PurePosixPath

MAX_BYTES = 255
"""Longest name of a file that file systems take."""

ROOM = 20
"""Bytes of a cut name that its hash takes."""


def fitting_name(path: PurePosixPath) -> PurePosixPath:
    """The path with a name that file systems take.

    A name that is too long is cut before its suffix, and told apart by a hash.
    """
    if len(os.fsencode(path.name)) <= MAX_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[: ROOM - 1]
    room = MAX_BYTES - ROOM - len(os.fsencode(path.suffix))
    kept = os.fsencode(path.name)[:room].decode('utf-8', 'ignore')
    return path.with_name(f'{kept}-{digest}{path.suffix}')
