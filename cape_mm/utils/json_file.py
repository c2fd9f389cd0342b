"""Reading a JSON file, with messages that a person can act on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..errors import AnnotationFormatError, CapeError, MissingDataError

HALF_LETTER = re.compile(r'\\u[dD][89a-fA-F]')
"""Escape of a surrogate: alone it can neither be printed nor written."""


def read_json(
    path: str | Path,
    what: str | None = None,
    remedy: str = '',
    error_type: type[CapeError] = AnnotationFormatError,
) -> Any:
    """Read a UTF-8 JSON file.

    Args:
        path: the file.
        what: what such a file is, for the message: ``'a COCO file'``. Its content must
            then be an object; None takes any.
        remedy: what to do next, as a sentence that ends the message.
        error_type: what to raise for a file that is no JSON, or holds something else.

    Returns:
        Its content.

    Raises:
        MissingDataError: there is no such file, or the system refuses to read it.
        CapeError: of ``error_type``: it is empty, truncated, not JSON or not UTF-8,
            nested too deeply, or has a number too long for Python.
    """
    ending = f'. {remedy}' if remedy else ''
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
        content = json.loads(text)
        if HALF_LETTER.search(text):
            json.dumps(content, ensure_ascii=False).encode()
    except FileNotFoundError as error:
        raise MissingDataError(f'no such file: {path}{ending}') from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MissingDataError(f'{path} can not be read: {reason}{ending}') from error
    except (ValueError, RecursionError) as error:
        raise error_type(
            f'{path} is not a JSON file: {_explain(error)}{ending}'
        ) from error
    if what is not None and not isinstance(content, dict):
        raise error_type(
            f'{path} is not {what}: it holds a {type(content).__name__} instead of an '
            f'object{ending}'
        )
    return content


def _explain(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return 'its lists or objects are nested too deeply'
    if isinstance(error, UnicodeEncodeError):
        return f'a text in it has half a letter, {error.object[error.start]!a}'
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return str(error)
    # Python's own words name an option of the interpreter
    return f'a number in it is too long ({str(error).split(";")[0]})'
