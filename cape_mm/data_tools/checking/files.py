"""Annotation files of a data root, read to the end whatever is wrong with them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pycocotools.coco import COCO

from ...datasets.annotation_checks import find_defects
from ...datasets.annotation_file import (
    REQUIRED_LISTS,
    index_annotations,
    read_annotation_file,
    with_sizes,
)
from ...errors import AnnotationFormatError, MissingDataError
from ...utils.json_file import read_json
from .findings import REFUSED, Finding, found

ROLE = re.compile(r'(?:^|[_\-. ])(train|val|test)(?=[_\-. \d]|$)')


def find_annotation_files(data_root: str | os.PathLike) -> list[Path]:
    """The JSON files of a data root: those in ``annotations``, else its own.

    Raises:
        MissingDataError: the folder does not exist, or holds no JSON file.
    """
    root = Path(data_root)
    if not root.is_dir():
        raise MissingDataError(
            f'data root not found: {root}. Give the folder that holds annotations/ and '
            f'images/, or the annotation files themselves.'
        )
    for folder in (root / 'annotations', root):
        files = sorted(p for p in folder.glob('*.json') if not p.name.startswith('.'))
        if files:
            return files
    raise MissingDataError(
        f'no annotation file in {root}: expected *.json in {root / "annotations"} or '
        f'in {root} itself. Give the annotation files themselves if they lie elsewhere.'
    )


def find_image_folder(ann_file: Path) -> str:
    """The image folder that belongs to an annotation file.

    The data root is the file's folder, or the one above if that is called
    ``annotations``; then :func:`image_folder_of`.
    """
    folder = ann_file.parent
    return image_folder_of(folder.parent if folder.name == 'annotations' else folder)


def image_folder_of(data_root: str | os.PathLike) -> str:
    """``images`` in a data root, or the data root itself where there is none.

    The data set looks in the same place: the category folders may lie in either.
    """
    images = Path(data_root) / 'images'
    return str(images if images.is_dir() else data_root)


def role_of(path: Path) -> tuple[str, tuple[str, ...]] | None:
    """Whether a file is for training, validation or testing, and of which split.

    Args:
        path: annotation file.

    Returns:
        'train', 'val' or 'test', and a key that the files of one split share: their
        folder, the name before the role and the numbers after it. None where the name
        says no role.
    """
    match = ROLE.search(path.stem)
    if match is None:
        return None
    before, after = path.stem[: match.start()], path.stem[match.end() :]
    return match[1], (str(path.parent), before, *re.findall(r'\d+', after))


def find_overlaps(categories: Iterable[tuple[Path, dict[int, str]]]) -> list[str]:
    """Categories that two roles of one split share.

    Args:
        categories: annotation files and, of each, the names of the categories that it
            has annotations of, by id.

    Returns:
        One text per pair of files that share categories.
    """
    known = [(path, role_of(path), names) for path, names in categories]
    known = [(path, role, names) for path, role, names in known if role]
    texts = []
    for i, (path, (role, key), names) in enumerate(known):
        for other_path, (other_role, other_key), other_names in known[i + 1 :]:
            shared = sorted(names.keys() & other_names.keys())
            if key == other_key and role != other_role and shared:
                listed = ', '.join(f'{k} {names[k]}' for k in shared)
                texts.append(f'{path.name} and {other_path.name} share {listed}')
    return texts


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


def read_leniently(path: Path, image_folder: str | None = None) -> ReadFile:
    """Read an annotation file, leaving out the entries that the reader refuses.

    Args:
        path: the JSON file.
        image_folder: where a size that the file lacks is looked up; None: nowhere.

    Returns:
        What could be read; nothing is raised for any content of the file.
    """
    try:
        coco = read_annotation_file(path, image_folder=image_folder)
        return ReadFile(path, coco)
    except AnnotationFormatError as error:
        return _salvage(path, str(error), image_folder)
    except MissingDataError as error:
        absent = f'annotation file not found: {path}'
        return _unreadable(path, str(error) if path.is_file() else absent)


def _unreadable(path: Path, message: str, is_other_json: bool = False) -> ReadFile:
    findings = found('file can not be used', REFUSED, 'files', [message])
    return ReadFile(path, None, findings, is_other_json=is_other_json)


def _salvage(path: Path, message: str, image_folder: str | None) -> ReadFile:
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
    content['images'] = with_sizes(content['images'], image_folder)
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
