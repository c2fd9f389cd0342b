"""CVAT's task format "COCO Keypoints 1.0".

An export is a folder (or zip) with ``annotations/person_keypoints_<subset>.json``
beside ``images/``; the JSON is COCO's with skeletons that count from 1 and an
``attributes`` object per annotation. CVAT imports the same file for a task whose label
is a skeleton with the same names.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import AnnotationFormatError, MissingDataError
from .coco import read_coco, write_coco
from .labels import LabelSet

PATTERN = 'person_keypoints_*.json'
WRITTEN_NAME = 'annotations/person_keypoints_default.json'


def read_cvat(path: str | Path, category: str | None = None) -> LabelSet:
    """Read the JSON file of an export, or the folder that holds it.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no such export.
        ConfigError: the category is not there, or has to be named.
    """
    return read_coco(_find_file(Path(path)), category, skeleton_base=1)


def _find_file(path: Path) -> Path:
    """The JSON file of an export."""
    if not path.is_dir():
        return path
    found = sorted(path.rglob(PATTERN))
    if not found:
        raise MissingDataError(f'{path} holds no {PATTERN}, which CVAT exports')
    if len(found) > 1:
        listed = ', '.join(str(file.relative_to(path)) for file in found)
        raise AnnotationFormatError(f'{path} holds several: name one of {listed}')
    return found[0]


def write_cvat(labels: LabelSet, folder: str | Path) -> list[Path]:
    """Write ``annotations/person_keypoints_default.json`` into a folder.

    Raises:
        ConfigError: the file can't be written.
    """
    attributes = dict(occluded=False)
    path = Path(folder) / WRITTEN_NAME
    return write_coco(labels, path, skeleton_base=1, attributes=attributes)


def is_cvat(path: Path) -> bool:
    """Whether a file is named as CVAT names it, or a folder holds such a file."""
    if path.is_dir():
        return any(path.rglob(PATTERN))
    return path.match(PATTERN)
