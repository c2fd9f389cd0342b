"""The table of an evaluation on disk, beside its metrics: one file, to the last bit."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from ..errors import AnnotationFormatError, MissingDataError
from ..utils.atomic_write import write_bytes_atomically
from .episode_pck import EpisodePCK
from .results import (
    ID_COLUMNS,
    NAME_COLUMNS,
    POINT_TYPE,
    VALUE_KEYS,
    Floor,
    ResultTable,
)

FORMAT = 'cape_mm results 1'
REMEDY = 'Write it afresh with tools/test.py or tools/analysis_tools/score_dump.py.'
DAMAGE = (
    *(AttributeError, EOFError, KeyError, NotImplementedError, OSError, OverflowError),
    *(RecursionError, TypeError, ValueError, zipfile.BadZipFile),
)
"""What reading a damaged file raises."""


@dataclass(frozen=True)
class StoredResults:
    """What :func:`read_results` found.

    Attributes:
        path: the file.
        table: the pairs.
        run: what they were measured on and with, as ``run`` in ``metrics.json``.
    """

    path: Path
    table: ResultTable
    run: dict[str, Any] = field(default_factory=dict)


def results_path(metrics_path: str | Path) -> Path:
    """File of the table that a metrics file was computed from."""
    return Path(metrics_path).with_suffix('.results.npz')


def write_results(
    table: ResultTable, path: str | Path, run: Mapping[str, Any] | None = None
) -> Path:
    """Write a table, to the last bit.

    Args:
        table: all pairs.
        path: the file; its folder is made where needed, an older file is replaced.
        run: what the pairs were measured on and with.

    Returns:
        The path.
    """
    header = dict(format=FORMAT, value_keys=VALUE_KEYS, run=dict(run or {}))
    header['floors'] = list(table.floors)
    arrays: dict[str, np.ndarray] = {}
    for column in fields(table):
        value = getattr(table, column.name)
        if column.name in NAME_COLUMNS:
            header[column.name] = {str(key): name for key, name in value.items()}
        elif column.name != 'floors':
            arrays[column.name] = value
    for number, floor in enumerate(table.floors.values()):
        arrays[f'floor{number}_values'] = floor.values
        arrays[f'floor{number}_distance'] = floor.distance
    content = io.BytesIO()
    np.savez(content, header=np.array(json.dumps(header, default=str)), **arrays)
    return write_bytes_atomically(path, content.getbuffer(), durable=False)


def write_all_results(
    metrics: Sequence[BaseMetric], run: Mapping[str, Any], metrics_path: str | Path
) -> list[Path]:
    """Write the table of every :class:`EpisodePCK` beside the metrics file.

    Args:
        metrics: of an evaluator, after the test.
        run: what the result was measured on and with.
        metrics_path: file of the metrics.

    Returns:
        One file per metric that has pairs; a metric's prefix is put before its name.
    """
    path, paths = results_path(metrics_path), []
    for metric in metrics:
        if isinstance(metric, EpisodePCK) and metric.pairs is not None:
            name = f'{metric.prefix}.{path.name}' if metric.prefix else path.name
            paths.append(write_results(metric.pairs, path.with_name(name), run))
    return paths


def find_results(result: str | Path) -> Path:
    """The table's file that a user means.

    Args:
        result: the file itself, the metrics file beside it, or their folder.

    Raises:
        MissingDataError: there is none.
    """
    result = Path(result)
    path = result / 'metrics.json' if result.is_dir() else result
    if path.suffix != '.npz':
        path = results_path(path)
    if not path.is_file():
        raise MissingDataError(
            f'no results of {result}: {path} does not exist. tools/test.py writes it '
            f'beside the metrics file; test the checkpoint again, or re-score a dump '
            f'of its predictions with tools/analysis_tools/score_dump.py.'
        )
    return path


def read_results(result: str | Path) -> StoredResults:
    """Read the table of an evaluation.

    Args:
        result: as for :func:`find_results`.

    Raises:
        MissingDataError: the file does not exist.
        AnnotationFormatError: it is no such file, or is damaged.
    """
    path = find_results(result)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        header = json.loads(str(arrays.pop('header')))
        table = _read_table(header, arrays)
        run = dict(header['run'])
    except DAMAGE as error:
        raise AnnotationFormatError(
            f'{path} is not a file of results, or is damaged '
            f'({type(error).__name__}: {error}). {REMEDY}'
        ) from error
    return StoredResults(path, table, run)


def _read_table(
    header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> ResultTable:
    if header['format'] != FORMAT or tuple(header['value_keys']) != VALUE_KEYS:
        raise ValueError(f'its format should be {FORMAT!r} with {VALUE_KEYS}')
    columns = {
        name: {int(key): value for key, value in header[name].items()}
        for name in NAME_COLUMNS
    }
    floors = {
        name: Floor(arrays[f'floor{i}_values'], arrays[f'floor{i}_distance'])
        for i, name in enumerate(header['floors'])
    }
    own = {key: value for key, value in arrays.items() if not key.startswith('floor')}
    table = ResultTable(**own, **columns, floors=floors)
    _check_table(table)
    return table


def _check_table(table: ResultTable) -> None:
    """Refuse columns that do not belong together."""
    num_pairs, num_points = len(table), len(table.points)
    shapes = {name: getattr(table, name).shape for name in (*ID_COLUMNS, 'drop_reason')}
    values = [table.values, *(floor.values for floor in table.floors.values())]
    distances = [floor.distance for floor in table.floors.values()]
    if (
        any(shape != (num_pairs,) for shape in shapes.values())
        or any(v.shape != (num_pairs, len(VALUE_KEYS)) for v in values)
        or any(d.shape != (num_points,) for d in distances)
        or table.points.dtype != POINT_TYPE
        or table.pair_of_point.shape != (num_points,)
    ):
        raise ValueError('its columns are of different lengths or types')
    is_pair = (table.pair_of_point >= 0) & (table.pair_of_point < num_pairs)
    if not is_pair.all() or (np.diff(table.pair_of_point) < 0).any():
        raise ValueError('a keypoint is of no pair')
    if len(set(zip(table.episode_index.tolist(), table.slot.tolist()))) != num_pairs:
        raise ValueError('a pair is listed twice')
