"""The table of an evaluation on disk: to the last bit, and as COCO keypoint results."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from ..datasets import MP100EpisodeDataset
from ..errors import AnnotationFormatError, MissingDataError
from ..structures import Episode
from ..utils.atomic_write import write_bytes_atomically, write_text_atomically
from .episode_pck import EpisodePCK
from .results import PAIR_COLUMNS, POINT_TYPE, VALUE_KEYS, Floor, ResultTable

FORMAT = 'cape_mm results 2'
REMEDY = 'Write it afresh with tools/test.py.'
ARRAYS = (*PAIR_COLUMNS, 'points', 'pair_of_point')
NAMES = ('category_names', 'supercategories', 'num_keypoints')


@dataclass(frozen=True)
class StoredResults:
    """What :func:`read_results` found.

    Attributes:
        path: the file.
        table: the pairs.
        run: what they were measured on and with, as ``run`` in ``metrics.json``.
        episodes: the evaluation list; empty where it was not a fixed one.
    """

    path: Path
    table: ResultTable
    run: dict[str, Any] = field(default_factory=dict)
    episodes: tuple[Episode, ...] = ()


def results_path(metrics_path: str | Path) -> Path:
    """File of the table that a metrics file was computed from."""
    return Path(metrics_path).with_suffix('.results.npz')


def write_results(
    table: ResultTable,
    path: str | Path,
    run: Mapping[str, Any] | None = None,
    episodes: Iterable[Episode] = (),
) -> Path:
    """Write a table.

    Args:
        table: all pairs.
        path: the file; its folder is made where needed, an older file is replaced.
        run: what the pairs were measured on and with.
        episodes: the whole evaluation list; the place of each is its ``index``.

    Returns:
        The path.
    """
    arrays = {name: getattr(table, name) for name in ARRAYS}
    for number, floor in enumerate(table.floors.values()):
        arrays[f'floor{number}_values'] = floor.values
        arrays[f'floor{number}_distance'] = floor.distance
        arrays[f'floor{number}_predicted'] = floor.predicted
    header = dict(format=FORMAT, value_keys=VALUE_KEYS, run=dict(run or {}))
    header |= {name: getattr(table, name) for name in NAMES}
    header['floors'] = list(table.floors)
    header['episodes'] = [[e.category_id, e.support_ids, e.query_ids] for e in episodes]
    content = io.BytesIO()
    np.savez(content, header=np.array(json.dumps(header, default=str)), **arrays)
    return write_bytes_atomically(path, content.getbuffer(), durable=False)


def write_all_results(
    metrics: Sequence[BaseMetric],
    run: Mapping[str, Any],
    metrics_path: str | Path,
    episodes: Iterable[Episode] = (),
) -> list[Path]:
    """Write the table of every :class:`EpisodePCK` beside the metrics file.

    Args:
        metrics: of an evaluator, after the test.
        run: what the result was measured on and with.
        metrics_path: file of the metrics.
        episodes: see :func:`write_results`.

    Returns:
        One file per metric that has pairs; a metric's prefix is put before its name.
    """
    path, paths = results_path(metrics_path), []
    for metric in metrics:
        if isinstance(metric, EpisodePCK) and metric.pairs is not None:
            name = f'{metric.prefix}.{path.name}' if metric.prefix else path.name
            beside = path.with_name(name), run, episodes
            paths.append(write_results(metric.pairs, *beside))
    return paths


def read_results(result: str | Path) -> StoredResults:
    """Read the table of an evaluation.

    Args:
        result: its file, the metrics file beside it, or their folder.

    Raises:
        MissingDataError: the file does not exist.
        AnnotationFormatError: it is no such file, or is damaged.
    """
    path = Path(result)
    if path.suffix != '.npz':
        path = results_path(path / 'metrics.json' if path.is_dir() else path)
    if not path.is_file():
        raise MissingDataError(
            f'no results of {result}: {path} does not exist. tools/test.py writes it '
            f'beside the metrics file; test the checkpoint again.'
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        header = json.loads(str(arrays['header']))
        episodes = tuple(
            Episode(category, tuple(supports), tuple(queries))
            for category, supports, queries in header.get('episodes', ())
        )
        table = _read_table(header, arrays)
        return StoredResults(path, table, dict(header['run']), episodes)
    except Exception as error:  # a damaged file may raise anything
        raise AnnotationFormatError(
            f'{path} is not a file of results, or is damaged '
            f'({type(error).__name__}: {error}). {REMEDY}'
        ) from error


def _read_table(
    header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> ResultTable:
    if header['format'] != FORMAT or tuple(header['value_keys']) != VALUE_KEYS:
        raise ValueError(f'its format should be {FORMAT!r} with {VALUE_KEYS}')
    table = ResultTable(
        **{name: arrays[name] for name in ARRAYS},
        **{name: {int(k): v for k, v in header[name].items()} for name in NAMES},
        floors={
            name: Floor(
                *(arrays[f'floor{i}_{part}'] for part in ('values', 'distance')),
                arrays[f'floor{i}_predicted'].reshape(-1, 2),
            )
            for i, name in enumerate(header['floors'])
        },
    )
    owners = table.pair_of_point
    if len(owners) != len(table.points) or table.points.dtype != POINT_TYPE:
        raise ValueError('its columns are of different lengths or types')
    if len(owners) and not 0 <= owners.min() <= owners.max() < len(table):
        raise ValueError('a keypoint is of no pair')
    return table


NO_CONFIDENCE = 2
"""Third number of a keypoint whose model has no confidences: COCO's "visible"."""


def write_dump(
    table: ResultTable, dataset: MP100EpisodeDataset, path: str | Path
) -> Path:
    """Write a list of COCO keypoint results, one per line.

    An entry has COCO's ``image_id``, ``category_id``, ``keypoints`` (x, y in pixels of
    the source image and the confidence, or 2 where the model has none, K times; zeros
    where no support shows the keypoint) and ``score`` (mean confidence); also
    ``episode_index``, ``slot`` and ``ann_id`` of the query.

    Args:
        table: all pairs of an evaluation.
        dataset: what they were evaluated on.
        path: the file; its folder is made where needed, an older file is replaced.

    Returns:
        The path.
    """
    starts = np.searchsorted(table.pair_of_point, np.arange(len(table) + 1))
    lines = []
    for row in np.flatnonzero(table.is_scored).tolist():
        points = table.points[slice(*starts[row : row + 2])]
        category_id, ann_id = int(table.category_id[row]), int(table.ann_id[row])
        has_scores = not np.isnan(points['score']).all()
        third = np.nan_to_num(points['score']) if has_scores else NO_CONFIDENCE
        keypoints = np.zeros((table.num_keypoints[category_id], 3))
        keypoints[points['index'], 0] = points['x']
        keypoints[points['index'], 1] = points['y']
        keypoints[points['index'], 2] = third
        entry = dict(
            image_id=dataset.index[ann_id].img_id,
            category_id=category_id,
            keypoints=keypoints.reshape(-1).tolist(),
            score=float(np.mean(third)) if has_scores else 1.0,
            episode_index=int(table.episode_index[row]),
            slot=int(table.slot[row]),
            ann_id=ann_id,
        )
        lines.append(json.dumps(entry))
    return write_text_atomically(path, '[\n' + ',\n'.join(lines) + '\n]\n')
