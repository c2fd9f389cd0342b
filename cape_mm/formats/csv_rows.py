"""Rows of a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

from ..errors import MissingDataError
from .json_files import malformed


def read_rows(path: str | Path, kind: str) -> list[list[str]]:
    """Rows that are not empty, as lists of cells.

    Args:
        path: the file, in UTF-8.
        kind: of the file, for messages.

    Raises:
        MissingDataError: there is no such file, or it can't be read.
        AnnotationFormatError: it is no CSV file.
    """
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            return [row for row in csv.reader(file) if row]
    except FileNotFoundError as error:
        raise MissingDataError(f'no such file: {path}') from error
    except OSError as error:
        raise MissingDataError(f'{path} can not be read: {error.strerror}') from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise malformed(path, error, kind) from error
