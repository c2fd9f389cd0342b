"""A table with one keypoint per row, for spreadsheets, R and pandas.

Columns: ``file``, ``frame`` (empty for pictures), ``instance`` (from 0),
``keypoint``, ``x``, ``y``, ``visibility`` (COCO's v), ``confidence``, ``box_x``,
``box_y``, ``box_w``, ``box_h``. Keypoints that are not labelled have no ``x`` and
``y``.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import AnnotationFormatError
from .files import malformed, open_for_writing, read_rows, rounded
from .labels import LabelledInstance, LabelledPicture, LabelSet

COLUMNS = (
    *('file', 'frame', 'instance', 'keypoint', 'x', 'y', 'visibility', 'confidence'),
    *('box_x', 'box_y', 'box_w', 'box_h'),
)


def write_csv(labels: LabelSet, path: str | Path) -> list[Path]:
    """Write the table.

    Raises:
        ConfigError: the file can't be written.
    """
    with open_for_writing(path) as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        for picture in labels.pictures:
            writer.writerows(_rows(picture, labels.keypoint_names))
    return [Path(path)]


def _rows(picture: LabelledPicture, names: tuple[str, ...]) -> Iterator[list[object]]:
    frame = '' if picture.frame is None else picture.frame
    for number, instance in enumerate(picture.instances):
        box = [''] * 4 if instance.bbox is None else rounded(instance.bbox)
        scores = [''] * len(names)
        if instance.confidence is not None:
            scores = rounded(instance.confidence, 4)
        for name, point, v, score in zip(
            names, instance.keypoints, instance.visibility, scores
        ):
            x, y = rounded(point) if v else ('', '')
            start = [picture.file_name, frame, number, name]
            yield [*start, x, y, int(v), score, *box]


def read_csv(path: str | Path, category: str | None = None) -> LabelSet:
    """Read the table; names and order of the keypoints are those of the first rows.

    Args:
        path: the file.
        category: name to give to the labels; the table has none.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no such table.
    """
    header, *cells = read_rows(path, 'CSV') or [[]]
    rows = [dict(itertools.zip_longest(header, row, fillvalue='')) for row in cells]
    missing = [name for name in COLUMNS[:6] if not rows or name not in rows[0]]
    if missing:
        raise AnnotationFormatError(f'{path} has no rows or no column {missing}')
    names = tuple(dict.fromkeys(row['keypoint'] for row in rows))
    groups: dict[tuple[str, str], dict[str, list[dict]]] = {}
    for row in rows:
        pictures = groups.setdefault((row['file'], row['frame']), {})
        pictures.setdefault(row['instance'], []).append(row)
    try:
        pictures = [
            LabelledPicture(
                file,
                None,
                tuple(_read_instance(own, names) for own in instances.values()),
                int(frame) if frame else None,
            )
            for (file, frame), instances in groups.items()
        ]
    except (KeyError, ValueError) as error:
        raise malformed(path, error, 'keypoint CSV') from error
    return LabelSet(category or 'object', names, (), pictures)


def _read_instance(rows: list[dict], names: tuple[str, ...]) -> LabelledInstance:
    points, visibility = np.zeros((len(names), 2)), np.zeros(len(names), int)
    scores = np.full(len(names), np.nan)
    for row in rows:
        k = names.index(row['keypoint'])
        if row['x'] and row['y']:
            points[k] = float(row['x']), float(row['y'])
            visibility[k] = int(row.get('visibility') or 2)
        if row.get('confidence'):
            scores[k] = float(row['confidence'])
    box = [rows[0].get(name) for name in COLUMNS[8:]]
    return LabelledInstance(
        points,
        visibility,
        None if np.isnan(scores).all() else np.nan_to_num(scores),
        np.array([float(value) for value in box]) if all(box) else None,
    )
