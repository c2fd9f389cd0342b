"""DeepLabCut: ``CollectedData_<scorer>.csv`` and the CSV of an analysed video.

Header rows ``scorer``, ``individuals`` (several animals only), ``bodyparts`` and
``coords``; then a row per picture: its path in one cell or in three, then x and y, and
in predictions ``likelihood``, of every keypoint. A row of an analysed video begins with
the frame's number instead. Boxes, picture sizes and skeletons have no place in it.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import AnnotationFormatError
from .files import cell_value, expecting, open_for_writing, read_rows, rounded
from .labels import LabelledInstance, LabelSet
from .marks import MarkedObject, MarkedPicture, collect

HEADER = ('scorer', 'individuals', 'bodyparts', 'coords')
COORDS = ('x', 'y', 'likelihood')
SCORER = 'cape_mm'


def is_deeplabcut(path: Path) -> bool:
    """Whether a CSV file begins as DeepLabCut's do."""
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        return any('bodyparts' in line for line in itertools.islice(file, 4))


def read_deeplabcut(path: str | Path, category: str | None = None) -> LabelSet:
    """Read labels or predictions, also as pandas, R and Excel save them again.

    Those fill the empty cells of the header, add columns at either end, and quote.

    Args:
        path: the CSV file.
        category: name to give to the labels; the format has none.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no such file, lacks x or y of a keypoint, or has
            one twice.
    """
    rows = read_rows(path, 'DeepLabCut')
    start = next((r.index('bodyparts') for r in rows[:5] if 'bodyparts' in r), 0)
    rows = [row[start:] for row in rows]
    header = {row[0]: row for row in rows[:5] if row and row[0] in HEADER}
    if not {'bodyparts', 'coords'} <= header.keys():
        raise AnnotationFormatError(
            f"{path} is not DeepLabCut's: no header rows bodyparts and coords"
        )
    places = _places(header, path)
    num_index = min(min(own.values()) for own in places.values())
    first = 1 + max(rows.index(row) for row in header.values())
    with expecting('DeepLabCut', path):
        pictures = [
            _read_row(row, places, num_index, path)
            for row in rows[first:]
            if any(row[:num_index])
        ]
    return collect(pictures, category, 'animal', path)


def _places(
    header: dict[str, list[str]], path: object
) -> dict[tuple[str, str], dict[str, int]]:
    """Columns of x, y and likelihood by individual and bodypart."""
    places: dict[tuple[str, str], dict[str, int]] = {}
    individuals = header.get('individuals', [''] * len(header['coords']))
    columns = zip(individuals, header['bodyparts'], header['coords'])
    for place, (individual, bodypart, coord) in enumerate(columns):
        if coord in COORDS:
            own = places.setdefault((individual, bodypart), {})
            if own.setdefault(coord, place) != place:
                raise AnnotationFormatError(
                    f'{path}: {bodypart!r} has more than one column {coord}'
                )
    for bodypart, own in places.items() or [('the header', {})]:
        if not {'x', 'y'} <= own.keys():
            raise AnnotationFormatError(
                f'{path}: {bodypart[-1] if own else bodypart!r} has the columns '
                f'{sorted(own)}, but x and y are expected of every keypoint'
            )
    return places


def _read_row(
    row: list[str],
    places: dict[tuple[str, str], dict[str, int]],
    num_index: int,
    path: str | Path,
) -> MarkedPicture:
    values = dict(enumerate(row))
    objects: dict[str, MarkedObject] = {}
    for (individual, bodypart), own in places.items():
        one = objects.setdefault(individual, MarkedObject(path))
        cells = [cell_value(values.get(own.get(coord), '')) for coord in COORDS]
        one.add(bodypart, cells[:2], 2, cells[2])
    labelled = [
        o for o in objects.values() if any(m.visibility for m in o.marks.values())
    ]
    index = '/'.join(cell for cell in row[:num_index] if cell)
    if frame := re.fullmatch(r'(\d+)(\.0)?', index):
        # DeepLabCut names its result after the video: <video>DLC_<network>...csv
        video = re.sub(r'(?<=.)(DLC|DeepCut)_.*', '', Path(path).stem)
        return MarkedPicture(video, None, labelled, int(frame[1]))
    return MarkedPicture(index, None, labelled)


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
    coords = COORDS if has_scores else COORDS[:2]
    columns = [
        (f'individual{number}', name, coord)
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


def _header(columns: list[tuple[str, str, str]], scorer: str) -> Iterator[list[str]]:
    individuals, bodyparts, coords = zip(*columns)
    yield ['scorer', *[scorer] * len(columns)]
    if len(set(individuals)) > 1:
        yield ['individuals', *individuals]
    yield ['bodyparts', *bodyparts]
    yield ['coords', *coords]


def _cells(instance: LabelledInstance, has_scores: bool) -> list[object]:
    cells: list[object] = []
    for k, v in enumerate(instance.visibility):
        cells += rounded(instance.keypoints[k]) if v else ['', '']
        if has_scores:
            score = None if instance.confidence is None else instance.confidence[k]
            cells.append('' if score is None or not v else round(float(score), 4))
    return cells
