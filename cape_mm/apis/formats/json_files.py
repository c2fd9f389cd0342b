"""JSON files of other tools, read with messages that a person can act on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ...atomic_write import write_text_atomically
from ...errors import AnnotationFormatError, ConfigError, MissingDataError

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
    try:
        return write_text_atomically(path, text)
    except OSError as error:
        raise ConfigError(f'{path} can not be written: {error.strerror}') from error


def to_lines(entries: Iterable[object]) -> str:
    """A JSON list with one entry per line."""
    return '[\n' + ',\n'.join(json.dumps(entry) for entry in entries) + '\n]'


def rounded(values: Iterable[float]) -> list[float]:
    """Numbers as they are written."""
    return [round(float(value), DECIMALS) for value in values]


def malformed(path: object, error: Exception, kind: str) -> AnnotationFormatError:
    """What to raise where a file has not the structure of its format."""
    what = f'has no {error}' if isinstance(error, KeyError) else str(error)
    return AnnotationFormatError(f'{path} is not a {kind} file: {what}')
