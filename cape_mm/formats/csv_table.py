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
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import AnnotationFormatError
from .files import cell_value, expecting, open_for_writing, read_rows, rounded
from .labels import LabelledPicture, LabelSet
from .marks import MarkedObject, MarkedPicture, collect

COLUMNS = (
    *('file', 'frame', 'instance', 'keypoint', 'x', 'y', 'visibility', 'confidence'),
    *('box_x', 'box_y', 'box_w', 'box_h'),
)

WAYS_OUT = (
    "Other tables, as SLEAP's of an analysis, are not read: export as COCO or as "
    'DeepLabCut writes its CSV.'
)
BOX = 'object'
"""The table has no categories: all boxes have one."""


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
        AnnotationFormatError: it is no such table, or says a keypoint twice.
    """
    header, *cells = read_rows(path, 'CSV') or [[]]
    rows = [dict(itertools.zip_longest(header, row, fillvalue='')) for row in cells]
    missing = [name for name in COLUMNS[:6] if not rows or name not in rows[0]]
    if missing:
        raise AnnotationFormatError(
            f'{path} has no rows or no column {missing}, but {header}. {WAYS_OUT}'
        )
    pictures: dict[tuple[str, str], dict[str, MarkedObject]] = {}
    with expecting('keypoint CSV', path):
        for row in rows:
            objects = pictures.setdefault((row['file'], row['frame']), {})
            where = f'{path}: {row["file"]} {row["frame"]}'
            one = objects.get(row['instance'])
            if one is None:
                one = MarkedObject(where, ' by their "instance"')
                objects[row['instance']] = one
                box = [cell_value(row.get(name, '')) for name in COLUMNS[8:]]
                one.boxes += [] if np.isnan(box).any() else [(BOX, tuple(box))]
            visibility = np.nan_to_num(cell_value(row.get('visibility', '')), nan=2)
            one.add(
                row['keypoint'],
                (cell_value(row['x']), cell_value(row['y'])),
                int(np.clip(visibility, 0, 2)),
                cell_value(row.get('confidence', '')),
            )
        found = [
            MarkedPicture(file, None, list(objects.values()), _frame_number(frame))
            for (file, frame), objects in pictures.items()
        ]
    return replace(collect(found, None, BOX, path), category=category or 'object')


def _frame_number(cell: str) -> int | None:
    """Number of a frame, None for a picture."""
    number = cell_value(cell)
    if np.isnan(number):
        return None
    if number < 0 or not number.is_integer():
        raise ValueError(f'frame {cell} is no number of a frame')
    return int(number)
