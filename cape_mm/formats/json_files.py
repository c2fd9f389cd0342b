"""JSON files of other tools, read with messages that a person can act on."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..errors import AnnotationFormatError, ConfigError, MissingDataError
from ..utils.atomic_write import PARTIAL_SUFFIX

DECIMALS = 3
"""Thousandths of a pixel."""


def read_json(path: str | Path) -> object:
    """Content of a JSON file.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding='utf-8-sig'))
    except FileNotFoundError as error:
        raise MissingDataError(f'no such file: {path}') from error
    except OSError as error:
        raise MissingDataError(f'{path} can not be read: {error.strerror}') from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AnnotationFormatError(f'{path} is not a JSON file: {error}') from error


def write_text(path: str | Path, text: str) -> Path:
    """Write a file, so that it is never half written.

    Raises:
        ConfigError: it can't be written.
    """
    with open_for_writing(path) as file:
        file.write(text)
    return Path(path)


@contextmanager
def open_for_writing(path: str | Path) -> Iterator[TextIO]:
    """A file to write piece by piece, which takes its place when it is complete.

    Raises:
        ConfigError: it can't be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(PARTIAL_SUFFIX, '.', path.parent) as folder:
            partial = Path(folder) / 'content'
            with open(partial, 'w', encoding='utf-8', newline='') as file:
                yield file
            os.replace(partial, path)
    except OSError as error:
        raise ConfigError(f'{path} can not be written: {error.strerror}') from error


def write_list(file: TextIO, entries: Iterable[object]) -> None:
    """Write a JSON list with one entry per line, holding one in memory."""
    separator = '[\n'
    for entry in entries:
        file.write(separator + json.dumps(entry))
        separator = ',\n'
    file.write('\n]' if separator == ',\n' else '[\n\n]')


def rounded(values: Iterable[float]) -> list[float]:
    """Numbers as they are written."""
    return [round(float(value), DECIMALS) for value in values]


def malformed(path: object, error: Exception, kind: str) -> AnnotationFormatError:
    """What to raise where a file has not the structure of its format."""
    what = f'has no {error}' if isinstance(error, KeyError) else str(error)
    return AnnotationFormatError(f'{path} is not a {kind} file: {what}')
