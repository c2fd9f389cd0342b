"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ..errors import AnnotationFormatError, MissingDataError
from ..utils.json_file import read_json
from ..utils.value_checks import check_choice
from .coco import read_coco, write_coco, write_sleap
from .csv_table import read_csv, write_csv
from .cvat import is_cvat, read_cvat, write_cvat
from .deeplabcut import is_deeplabcut, read_deeplabcut, write_deeplabcut
from .files import shorten
from .label_studio import is_label_studio, read_label_studio, write_label_studio
from .labelme import is_labelme, read_labelme, write_labelme
from .labels import LabelSet, plain, unique_names


class Format(NamedTuple):
    """A format of labels.

    Attributes:
        write: writes labels to a path and returns the files.
        name: of the file or folder that predictions are written to.
        read: reads a file or folder; None where there is no reader.
    """

    write: Callable[[LabelSet, Path], list[Path]]
    name: str
    read: Callable[[Path, str | None], LabelSet] | None = None


FORMATS = dict(
    coco=Format(write_coco, 'predictions.json', read_coco),
    csv=Format(write_csv, 'predictions.csv', read_csv),
    labelme=Format(write_labelme, 'labelme', read_labelme),
    cvat=Format(write_cvat, 'cvat', read_cvat),
    label_studio=Format(write_label_studio, 'label_studio.json', read_label_studio),
    deeplabcut=Format(write_deeplabcut, 'deeplabcut.csv', read_deeplabcut),
    sleap=Format(write_sleap, 'sleap.json'),
)
READABLE = [name for name, kind in FORMATS.items() if kind.read is not None]


FOREIGN_SUFFIXES = {
    '.h5': 'DeepLabCut keeps the same labels in a CSV file beside it: name that; SLEAP '
    'exports CSV and COCO instead',
    **dict.fromkeys(
        ('.pickle', '.pkl'),
        'DeepLabCut: name the CSV file that analyze_videos(save_as_csv=True) writes',
    ),
    '.slp': 'SLEAP: export its labels to DeepLabCut CSV or COCO (sleap-io converts '
    'them), and name that file',
    '.xml': 'CVAT and others: export as COCO Keypoints 1.0',
    '.txt': 'YOLO and others: convert it to COCO keypoints',
    '.mat': 'MATLAB: convert it to COCO keypoints',
    **dict.fromkeys(
        ('.xlsx', '.xls', '.ods', '.tsv'), 'A table: save it as CSV UTF-8, with commas'
    ),
    '.zip': 'a zip file: unpack it first',
}
"""Files that are not read, by suffix, with the way out."""

FOREIGN_CONTENT = {
    **dict.fromkeys(
        ('annotation_id', 'annotator', 'lead_time'),
        "Label Studio's JSON-MIN: export as JSON",
    ),
    'image_id': 'a COCO results file, without pictures: name the complete COCO file',
    '_via_img_metadata': 'a project of the VGG Image Annotator: export as COCO',
    'items': "Datumaro's: export as COCO Keypoints 1.0",
}
"""Other JSON, by a key of the object or of its first entry."""


def guess_format(path: str | Path) -> str:
    """Format of a file or folder of labels, by what is in it.

    Raises:
        MissingDataError: it does not exist.
        AnnotationFormatError: nothing fits.
    """
    path = Path(path)
    if not path.exists():
        raise MissingDataError(f'no such file or folder: {path}')
    if is_cvat(path):
        return 'cvat'
    if path.is_dir():
        return 'labelme'
    if path.suffix.lower() == '.csv':
        return 'deeplabcut' if is_deeplabcut(path) else 'csv'
    content = read_json(path)
    if is_labelme(content):
        return 'labelme'
    if is_label_studio(content):
        return 'label_studio'
    if isinstance(content, dict) and 'annotations' in content:
        return 'coco'
    first = content[0] if isinstance(content, list) and content else content
    keys = sorted(first) if isinstance(first, dict) else []
    seen = [what for key, what in FOREIGN_CONTENT.items() if key in keys]
    told = f'none of them (its keys: {shorten(keys, 8) or "none"})'
    raise AnnotationFormatError(
        f'{path}: expected labels as {", ".join(READABLE)}, but it is '
        f'{seen[0] if seen else told}'
    )


def refuse_foreign(path: Path) -> None:
    """Say what a file is that nobody here reads, and the way out.

    Raises:
        AnnotationFormatError: it is such a file.
    """
    if path.is_file() and (way_out := FOREIGN_SUFFIXES.get(path.suffix.lower())):
        raise AnnotationFormatError(f'{path} is not read. {way_out}.')


def read_labels(
    path: str | Path, kind: str | None = None, category: str | None = None
) -> LabelSet:
    """Read labels of one category.

    Names of pictures, keypoints and category come in Unicode's form NFC, in which the
    same text looks the same wherever it was typed.

    Args:
        path: file or folder.
        kind: name of the format; None finds out.
        category: id or name, where the file has several.

    Raises:
        MissingDataError: it does not exist.
        AnnotationFormatError: it is not of that format.
        ConfigError: there is no such format or category.
    """
    path = Path(path)
    refuse_foreign(path)
    kind = kind or guess_format(path)
    check_choice('format', kind, READABLE)
    labels = FORMATS[kind].read(path, None if category is None else plain(category))
    names = unique_names(map(plain, labels.keypoint_names))
    return replace(labels, category=plain(labels.category), keypoint_names=names)


def write_labels(labels: LabelSet, folder: str | Path, kind: str) -> list[Path]:
    """Write labels into a folder, under the format's own name.

    Raises:
        ConfigError: there is no such format, or the files can't be written.
    """
    check_choice('format', kind, list(FORMATS))
    return FORMATS[kind].write(labels, Path(folder) / FORMATS[kind].name)
