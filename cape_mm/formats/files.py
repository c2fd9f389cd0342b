"""Files of other tools, read and written with messages that a person can act on."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TextIO

from ..errors import AnnotationFormatError, CapeError, ConfigError, MissingDataError
from ..utils.atomic_write import replacing

DECIMALS = 3
"""Thousandths of a pixel."""

EMPTY_CELLS = ('', 'NA', 'NAN', 'NULL', 'NONE', 'N/A', '#N/A', '<NA>')

MAX_BYTES = 255
"""Longest name of a file that file systems take."""

ROOM = 20
"""Bytes of a cut name that its hash takes."""


def read_rows(path: str | Path, kind: str) -> list[list[str]]:
    """Rows of a CSV file that are not empty, as lists of cells without blanks around.

    Args:
        path: the file, in UTF-8.
        kind: of the file, for messages.

    Raises:
        MissingDataError: there is no such file, or it can't be read.
        AnnotationFormatError: it is no CSV file, or its cells are not separated by
            commas.
    """
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except FileNotFoundError as error:
        raise MissingDataError(f'no such file: {path}') from error
    except OSError as error:
        raise MissingDataError(f'{path} can not be read: {error.strerror}') from error
    except UnicodeDecodeError as error:
        raise AnnotationFormatError(
            f'{path} is not a {kind} file in UTF-8, as which Excel saves "CSV UTF-8": '
            f'{error}'
        ) from error
    except csv.Error as error:
        raise AnnotationFormatError(f'{path} is not a {kind} file: {error}') from error
    rows = [row for row in rows if any(row)]
    for separator, name in ((';', 'semicolons'), ('\t', 'tabs')):
        if rows and len(rows[0]) == 1 and separator in rows[0][0]:
            raise AnnotationFormatError(
                f'{path} separates its cells by {name}, as Excel does in some '
                f'languages: save it with commas, and with points in its numbers'
            )
    return rows


def cell_value(cell: str) -> float:
    """A cell's number; NaN where it is empty, as pandas, R and Excel write that."""
    return math.nan if cell.upper() in EMPTY_CELLS else float(cell)


@contextmanager
def expecting(kind: str, path: object) -> Iterator[None]:
    """Name file and format where content is not as the format has it.

    Raises:
        AnnotationFormatError: for whatever reading odd content raises.
    """
    try:
        yield
    except CapeError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f'has no {error}' if isinstance(error, KeyError) else str(error)
        raise AnnotationFormatError(f'{path} is not a {kind} file: {what}') from error


@contextmanager
def open_for_writing(path: str | Path) -> Iterator[TextIO]:
    """A file to write piece by piece, which takes its place when it is complete.

    Raises:
        ConfigError: it can't be written.
    """
    try:
        with (
            replacing(path) as partial,
            open(partial, 'w', encoding='utf-8', newline='') as file,
        ):
            yield file
    except OSError as error:
        raise ConfigError(f'{path} can not be written: {error.strerror}') from error


def write_text(path: str | Path, text: str) -> Path:
    """Write a file, so that it is never half written.

    Raises:
        ConfigError: it can't be written.
    """
    with open_for_writing(path) as file:
        file.write(text)
    return Path(path)


def write_list(file: TextIO, entries: Iterable[object]) -> None:
    """Write a JSON list with one entry per line, holding one in memory."""
    separator = '[\n'
    for entry in entries:
        file.write(separator + json.dumps(entry))
        separator = ',\n'
    file.write('\n]' if separator == ',\n' else '[\n\n]')


def shorten(names: Sequence[object], num: int = 3) -> str:
    """The first names of a list, for a message."""
    return ', '.join(map(str, names[:num])) + (', ...' if len(names) > num else '')


def rounded(values: Iterable[float], decimals: int = DECIMALS) -> list[float]:
    """Numbers as they are written."""
    return [round(float(value), decimals) for value in values]


def fitting_name(path: PurePosixPath) -> PurePosixPath:
    """The path with a name that file systems take.

    A name that is too long is cut before its suffix, and told apart by a hash.
    """
    name = os.fsencode(path.name)
    if len(name) <= MAX_BYTES:
        return path
    digest = hashlib.sha256(name).hexdigest()[: ROOM - 1]
    room = MAX_BYTES - ROOM - len(os.fsencode(path.suffix))
    return path.with_name(
        f'{name[:room].decode("utf-8", "ignore")}-{digest}{path.suffix}'
    )
