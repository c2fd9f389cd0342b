"""Reading a JSON file, with messages that a person can act on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import AnnotationFormatError, CapeError, MissingDataError


def read_json(
    path: str | Path,
    remedy: str = '',
    error_type: type[CapeError] = AnnotationFormatError,
) -> Any:
    """Read a UTF-8 JSON file.

    Args:
        path: the file; whether it exists is for the caller to say, who knows what it
            was to be.
        remedy: what to do next, as a sentence that ends the message.
        error_type: what to raise for a file that is no JSON.

    Returns:
        Its content, of any type that JSON has.

    Raises:
        MissingDataError: the system refuses to read the file.
        CapeError: of ``error_type``: it is empty, truncated, of another kind or
            encoding, nested too deeply, or has a number too long for Python.
    """
    ending = f'. {remedy}' if remedy else ''
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MissingDataError(f'{path} can not be read: {reason}{ending}') from error
    except (ValueError, RecursionError) as error:
        reason = _explain(error)
        raise error_type(f'{path} is not a JSON file: {reason}{ending}') from error


def read_json_object(
    path: str | Path,
    what: str,
    remedy: str = '',
    error_type: type[CapeError] = AnnotationFormatError,
) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: the file.
        what: what such a file is, for the message: ``'a COCO file'``.
        remedy: see :func:`read_json`.
        error_type: see :func:`read_json`; also raised where it holds something else.
    """
    content = read_json(path, remedy, error_type)
    if not isinstance(content, dict):
        ending = f'. {remedy}' if remedy else ''
        raise error_type(
            f'{path} is not {what}: it holds a {type(content).__name__} instead of an '
            f'object{ending}'
        )
    return content


def _explain(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return 'its lists or objects are nested too deeply'
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return str(error)
    # Python's own words name an option of the interpreter
    return f'a number in it is too long ({str(error).split(";")[0]})'
