"""Reading an annotation file to the end, whatever is wrong with it.

The strict reader of training is the judge: what it accepts is taken as it is. Where it
refuses, every single entry is shown to the same checks, and those that fail are left
out and reported, so that one run finds all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pycocotools.coco import COCO

from ...datasets.annotation_checks import find_defects
from ...datasets.annotation_file import (
    REQUIRED_LISTS,
    index_annotations,
    read_annotation_file,
)
from ...errors import AnnotationFormatError, MissingDataError
from ...utils.json_file import read_json
from .findings import REFUSED, Finding, found


@dataclass(frozen=True)
class ReadFile:
    """An annotation file as far as it can be read.

    Attributes:
        path: the file.
        coco: its readable entries, None where nothing is readable.
        findings: why not all of it is.
        num_refused: left-out entries of each list.
        is_other_json: valid JSON, but no COCO file at all.
    """

    path: Path
    coco: COCO | None
    findings: list[Finding] = field(default_factory=list)
    num_refused: dict[str, int] = field(default_factory=dict)
    is_other_json: bool = False


def read_leniently(path: Path) -> ReadFile:
    """Read an annotation file, leaving out the entries that the reader refuses.

    Args:
        path: the JSON file.

    Returns:
        What could be read; nothing is raised for any content of the file.
    """
    try:
        return ReadFile(path, read_annotation_file(path))
    except AnnotationFormatError as error:
        return _salvage(path, str(error))
    except MissingDataError as error:
        absent = f'annotation file not found: {path}'
        return _unreadable(path, str(error) if path.is_file() else absent)


def _unreadable(path: Path, message: str, is_other_json: bool = False) -> ReadFile:
    findings = found('file can not be used', REFUSED, 'files', [message])
    return ReadFile(path, None, findings, is_other_json=is_other_json)


def _salvage(path: Path, message: str) -> ReadFile:
    """Keep the sound entries of a file that the strict reader refused."""
    try:
        content = read_json(path)
    except AnnotationFormatError:  # no JSON, or no UTF-8: the message says which
        return _unreadable(path, message)
    is_coco = isinstance(content, dict) and all(
        isinstance(content.get(name), list) for name in REQUIRED_LISTS
    )
    if not is_coco:
        return _unreadable(path, message, is_other_json=True)
    findings, num_refused = [], {}
    for name in REQUIRED_LISTS:
        sound, defects = _sort_out(content[name], name)
        num_refused[name] = len(defects)
        findings += found(f'{name} entries refused', REFUSED, 'entries', defects)
        content = {**content, name: sound}
    return ReadFile(path, index_annotations(content), findings, num_refused)


def _sort_out(entries: list, name: str) -> tuple[list[dict], list[str]]:
    """The sound entries, and what is wrong with each of the others."""
    defects = dict(find_defects(name, entries))
    sound = [entry for place, entry in enumerate(entries) if place not in defects]
    return sound, [f'{name}[{place}]: {text}' for place, text in defects.items()]
