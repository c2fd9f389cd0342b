"""DeepLabCut: ``CollectedData_<scorer>.csv`` and the CSV of an analysed video.

Header rows ``scorer``, ``individuals`` (several animals only), ``bodyparts`` and
``coords``; then a row per picture: its path in one cell or in three, then x and y, and
in predictions ``likelihood``, of every keypoint. A row of an analysed video begins with
the frame's number instead. Boxes, picture sizes and skeletons have no place in it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import AnnotationFormatError
from .files import malformed, open_for_writing, read_rows, rounded
from .labels import (
    LabelledInstance,
    LabelledPicture,
    LabelSet,
    make_instance,
    make_picture,
)

HEADER = ('scorer', 'individuals', 'bodyparts', 'coords')
SCORER = 'cape_mm'


class _Column(NamedTuple):
    """What a column holds."""

    individual: str
    bodypart: str
    coord: str


def is_deeplabcut(path: Path) -> bool:
    """Whether a CSV file begins as DeepLabCut's do."""
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        return file.readline().startswith('scorer,')


def read_deeplabcut(path: str | Path, category: str | None = None) -> LabelSet:
    """Read labels or predictions.

    Args:
        path: the CSV file.
        category: name to give to the labels; the format has none.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no such file.
    """
    rows = read_rows(path, 'DeepLabCut')
    header = {row[0]: row for row in rows[:4] if row[0] in HEADER}
    if not {'bodyparts', 'coords'} <= header.keys():
        raise AnnotationFormatError(
            f"{path} is not DeepLabCut's: no header rows bodyparts and coords"
        )
    # a path in three cells leaves two empty cells in the header
    num_index = next(i for i, cell in enumerate(header['coords'][1:], 1) if cell)
    columns = [
        _Column(header.get('individuals', header['scorer'])[i], part, coord)
        for i, (part, coord) in enumerate(zip(header['bodyparts'], header['coords']))
    ]
    names = tuple(dict.fromkeys(column.bodypart for column in columns[num_index:]))
    try:
        pictures = [
            _read_row(row, columns, num_index, names, _video_name(path))
            for row in rows[len(header) :]
        ]
    except (ValueError, IndexError) as error:
        raise malformed(path, error, 'DeepLabCut') from error
    return LabelSet(category or 'animal', names, (), pictures)


def _video_name(path: str | Path) -> str:
    """DeepLabCut names its result after the video: ``<video>DLC_<network>...csv``."""
    return Path(path).stem.split('DLC')[0]


def _read_row(
    row: list[str],
    columns: list[_Column],
    num_index: int,
    names: tuple[str, ...],
    video: str,
) -> LabelledPicture:
    cells: dict[str, dict[str, dict[str, float]]] = {}
    for column, cell in zip(columns[num_index:], row[num_index:]):
        value = float(cell) if cell else math.nan
        parts = cells.setdefault(column.individual, {})
        parts.setdefault(column.bodypart, {})[column.coord] = value
    instances = [_read_instance(parts, names) for parts in cells.values()]
    instances = tuple(one for one in instances if one.visibility.any())
    index = '/'.join(row[:num_index])
    if index.isdigit():
        return LabelledPicture(video, None, instances, int(index))
    return make_picture(index, None, instances)


def _read_instance(
    parts: dict[str, dict[str, float]], names: tuple[str, ...]
) -> LabelledInstance:
    points = {
        name: (own['x'], own['y'])
        for name, own in parts.items()
        if math.isfinite(own['x']) and math.isfinite(own['y'])
    }
    scores = {name: own.get('likelihood', math.nan) for name, own in parts.items()}
    scores = {name: value for name, value in scores.items() if math.isfinite(value)}
    return make_instance(points, names, confidence=scores)


def write_deeplabcut(
    labels: LabelSet, path: str | Path, scorer: str = SCORER
) -> list[Path]:
    """Write the CSV file; DeepLabCut's ``convertcsv2h5`` makes its .h5 of it.

    Rows are named by the pictures' paths, which in a DeepLabCut project are
    ``labeled-data/<video>/<picture>``.

    Args:
        labels: what to write.
        path: the file.
        scorer: name in the first row, which must be that of the project.

    Raises:
        ConfigError: the file can't be written.
    """
    num_instances, has_scores = 1, False
    for picture in labels.pictures:
        num_instances = max(num_instances, len(picture.instances))
        has_scores |= any(one.confidence is not None for one in picture.instances)
    coords = ('x', 'y', 'likelihood') if has_scores else ('x', 'y')
    columns = [
        _Column(f'individual{number}', name, coord)
        for number in range(1, num_instances + 1)
        for name in labels.keypoint_names
        for coord in coords
    ]
    with open_for_writing(path) as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerows(_header(columns, scorer))
        for picture in labels.pictures:
            cells = [c for one in picture.instances for c in _cells(one, has_scores)]
            blank = [''] * (len(columns) - len(cells))
            writer.writerow([picture.name, *cells, *blank])
    return [Path(path)]


def _header(columns: list[_Column], scorer: str) -> Iterator[list[str]]:
    yield ['scorer', *[scorer] * len(columns)]
    if len({column.individual for column in columns}) > 1:
        yield ['individuals', *(column.individual for column in columns)]
    yield ['bodyparts', *(column.bodypart for column in columns)]
    yield ['coords', *(column.coord for column in columns)]


def _cells(instance: LabelledInstance, has_scores: bool) -> list[object]:
    cells: list[object] = []
    for k, v in enumerate(instance.visibility):
        cells += rounded(instance.keypoints[k]) if v else ['', '']
        if has_scores:
            score = None if instance.confidence is None else instance.confidence[k]
            cells.append('' if score is None or not v else round(float(score), 4))
    return cells
