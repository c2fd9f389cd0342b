"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import AnnotationFormatError, ConfigError, MissingDataError
from ..utils.json_file import read_json
from .coco import read_coco, write_coco, write_sleap
from .csv_table import read_csv, write_csv
from .cvat import is_cvat, read_cvat, write_cvat
from .deeplabcut import is_deeplabcut, read_deeplabcut, write_deeplabcut
from .label_studio import is_label_studio, read_label_studio, write_label_studio
from .labelme import is_labelme, read_labelme, write_labelme
from .labels import LabelSet


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
    raise AnnotationFormatError(
        f'{path}: expected labels as {", ".join(READABLE)}, but it is none of them'
    )


def read_labels(
    path: str | Path, kind: str | None = None, category: str | None = None
) -> LabelSet:
    """Read labels of one category.

    Args:
        path: file or folder.
        kind: name of the format; None finds out.
        category: id or name, where the file has several.

    Raises:
        MissingDataError: it does not exist.
        AnnotationFormatError: it is not of that format.
        ConfigError: there is no such format or category.
    """
    kind = kind or guess_format(path)
    if kind not in READABLE:
        raise ConfigError(f'expected a format of {READABLE}, got {kind!r}')
    return FORMATS[kind].read(Path(path), category)


def write_labels(labels: LabelSet, folder: str | Path, kind: str) -> list[Path]:
    """Write labels into a folder, under the format's own name.

    Raises:
        ConfigError: there is no such format, or the files can't be written.
    """
    if kind not in FORMATS:
        raise ConfigError(f'expected a format of {sorted(FORMATS)}, got {kind!r}')
    return FORMATS[kind].write(labels, Path(folder) / FORMATS[kind].name)
