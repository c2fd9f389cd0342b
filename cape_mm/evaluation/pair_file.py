"""The pairs of an evaluation on disk, beside its metrics: what two runs compare by."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic_write import write_text_atomically
from ..errors import AnnotationFormatError, MissingDataError
from ..json_file import read_json
from .pair_records import VALUE_KEYS
from .pair_table import PairTable

FORMAT = 'cape_mm pairs 1'
COLUMNS = ('episode_index', 'slot', 'category_id', 'drop_reason', 'values')
REMEDY = 'Write it afresh with tools/test.py or tools/analysis_tools/score_dump.py.'


@dataclass(frozen=True)
class StoredPairs:
    """What :func:`read_pairs` found.

    Attributes:
        path: the file.
        table: the pairs, without their keypoints.
        run: what the pairs were measured on and with, as ``run`` in ``metrics.json``.
    """

    path: Path
    table: PairTable
    run: dict[str, Any] = field(default_factory=dict)


def pairs_path(metrics_path: str | Path) -> Path:
    """File of the pairs that a metrics file was computed from."""
    return Path(metrics_path).with_suffix('.pairs.json')


def write_pairs(
    table: PairTable, path: str | Path, run: Mapping[str, Any] | None = None
) -> Path:
    """Write the values of all pairs as JSON, to the last bit.

    Args:
        table: the pairs; their keypoints are not written.
        path: the file; its folder is made where needed, an older file is replaced.
        run: what the pairs were measured on and with.

    Returns:
        The path.
    """
    values = [
        [None if math.isnan(value) else value for value in row]
        for row in table.values.tolist()
    ]
    content = dict(
        format=FORMAT,
        run=dict(run or {}),
        value_keys=VALUE_KEYS,
        categories={str(key): name for key, name in table.category_names.items()},
        episode_index=table.episode_index.tolist(),
        slot=table.slot.tolist(),
        category_id=table.category_id.tolist(),
        drop_reason=table.drop_reason.tolist(),
        values=values,
    )
    return write_text_atomically(path, json.dumps(content, allow_nan=False) + '\n')


def find_pairs(result: str | Path) -> Path:
    """The file of pairs that a user means.

    Args:
        result: the file itself, the metrics file beside it, or their folder.

    Raises:
        MissingDataError: there is none.
    """
    result = Path(result)
    path = result / 'metrics.json' if result.is_dir() else result
    if not path.name.endswith('.pairs.json'):
        path = pairs_path(path)
    if not path.is_file():
        raise MissingDataError(
            f'no pairs of {result}: {path} does not exist. tools/test.py writes it '
            f'beside the metrics file; test the checkpoint again, or re-score a dump '
            f'of its predictions with tools/analysis_tools/score_dump.py.'
        )
    return path


def read_pairs(result: str | Path) -> StoredPairs:
    """Read the pairs of an evaluation.

    Args:
        result: as for :func:`find_pairs`.

    Raises:
        MissingDataError: the file does not exist.
        AnnotationFormatError: it is no file of pairs, or is damaged.
    """
    path = find_pairs(result)
    content = read_json(path, REMEDY)
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise AnnotationFormatError(
            f'{path} is not a file of pairs: "format" should be {FORMAT!r}. {REMEDY}'
        )
    try:
        table = _read_table(content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise AnnotationFormatError(
            f'{path} is damaged ({type(error).__name__}: {error}). {REMEDY}'
        ) from error
    return StoredPairs(path, table, dict(content.get('run') or {}))


def _read_table(content: Mapping[str, Any]) -> PairTable:
    if tuple(content['value_keys']) != VALUE_KEYS:
        raise ValueError(f'value_keys should be {VALUE_KEYS}')
    lengths = {name: len(content[name]) for name in COLUMNS}
    if len(set(lengths.values())) != 1:
        raise ValueError(f'columns of different lengths: {lengths}')
    integers = {
        name: np.array([int(value) for value in content[name]], np.int64)
        for name in COLUMNS[:3]
    }
    reasons = [str(reason) for reason in content['drop_reason']]
    values = np.array(content['values'], np.float64).reshape(-1, len(VALUE_KEYS))
    table = PairTable(
        **integers,
        drop_reason=np.array(reasons, np.str_),
        values=values,
        category_names={int(key): str(v) for key, v in content['categories'].items()},
    )
    keys = set(zip(content['episode_index'], content['slot']))
    if len(values) != len(table) or len(keys) != len(table):
        raise ValueError('a pair is listed twice, or not all of them have values')
    return table
