"""What the processes of a run have done so far: one line per finished block.

Every process appends to a file of its own. A run that was interrupted, with whatever
number of processes, goes on from all files that it finds; a line that was cut off by
the interruption counts as not written.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from ...errors import ConfigError
from .. import InferenceResult, SkippedInput
from .blocks import Key

FOLDER = '.parts'
POINT_DECIMALS, SCORE_DECIMALS = 3, 4

Line = dict[str, Any]


def to_line(
    key: Key,
    results: Sequence[tuple[int, InferenceResult]],
    skipped: Sequence[tuple[int, SkippedInput]],
) -> Line:
    """A finished block as plain values.

    Args:
        key: of the block.
        results: with the places of their sources.
        skipped: with the places of their sources.
    """
    return dict(
        block=list(key),
        results=[_result_line(place, result) for place, result in results],
        skipped=[[place, one.frame, one.reason] for place, one in skipped],
    )


def _result_line(place: int, result: InferenceResult) -> Line:
    points, scores = POINT_DECIMALS, SCORE_DECIMALS
    return dict(
        place=place,
        frame=result.frame,
        size=list(result.image_size),
        boxes=np.round(result.boxes, points).tolist(),
        keypoints=np.round(result.keypoints, points).tolist(),
        confidence=np.round(result.confidence, scores).tolist(),
        visibility=_without_nan(np.round(result.visibility, scores)),
        notes=list(result.notes),
    )


def _without_nan(values: np.ndarray) -> list | None:
    """None where a model does not tell: JSON has no NaN."""
    return None if np.isnan(values).any() else values.tolist()


def to_result(line: Line, name: str, num_keypoints: int) -> InferenceResult:
    """The inverse of what :func:`to_line` makes of a result."""
    num = len(line['boxes'])
    visibility = line['visibility']
    if visibility is None:
        visibility = [[math.nan] * num_keypoints] * num
    return InferenceResult(
        source=name,
        frame=line['frame'],
        image_size=tuple(line['size']),
        keypoints=np.array(line['keypoints']).reshape(num, num_keypoints, 2),
        confidence=np.array(line['confidence']).reshape(num, num_keypoints),
        visibility=np.array(visibility).reshape(num, num_keypoints),
        boxes=np.array(line['boxes']).reshape(num, 4),
        notes=tuple(line['notes']),
    )


class PartWriter:
    """Appends finished blocks to the file of one process.

    Args:
        out: folder of the results.
        rank: number of the process.

    Raises:
        ConfigError: the file can't be written.
    """

    def __init__(self, out: Path, rank: int) -> None:
        self.path = out / FOLDER / f'rank{rank}.jsonl'
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _drop_incomplete_line(self.path)
            self._file: TextIO = open(self.path, 'a', encoding='utf-8')  # noqa: SIM115
        except OSError as error:
            raise ConfigError(f'--out {out}: {error}') from error

    def write(self, line: Line) -> None:
        """Append a finished block.

        Raises:
            ConfigError: the disk is full.
        """
        try:
            self._file.write(json.dumps(line) + '\n')
            self._file.flush()
        except OSError as error:
            raise ConfigError(f'{self.path} can not be written: {error}') from error

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _drop_incomplete_line(path: Path) -> None:
    if not path.exists():
        return
    with open(path, 'rb+') as file:
        content = file.read()
        file.truncate(content.rfind(b'\n') + 1)


def read_parts(out: Path) -> Iterator[Line]:
    """Finished blocks of all processes, each once, in no particular order."""
    seen: set[tuple] = set()
    for path in _part_files(out):
        for _, line in _read_lines(path):
            if (key := tuple(line['block'])) not in seen:
                seen.add(key)
                yield line


def _part_files(out: Path) -> list[Path]:
    return sorted((out / FOLDER).glob('rank*.jsonl'))


def _read_lines(path: Path) -> Iterator[tuple[int, Line]]:
    """Complete lines of a file with the offsets at which they begin."""
    offset = 0
    with open(path, 'rb') as file:
        for text in file:
            if text.endswith(b'\n'):  # else cut off by an interruption
                yield offset, json.loads(text)
            offset += len(text)


class PartIndex:
    """Where the finished blocks are, to read them in the order of the inputs.

    Args:
        out: folder of the results.
    """

    def __init__(self, out: Path) -> None:
        self._places: dict[tuple, tuple[Path, int]] = {}
        for path in _part_files(out):
            for offset, line in _read_lines(path):
                self._places.setdefault(tuple(line['block']), (path, offset))

    def __iter__(self) -> Iterator[Line]:
        """Every block once, one in memory."""
        with contextlib.ExitStack() as stack:
            files: dict[Path, BinaryIO] = {}
            for _, (path, offset) in sorted(self._places.items()):
                if path not in files:
                    files[path] = stack.enter_context(open(path, 'rb'))
                files[path].seek(offset)
                yield json.loads(files[path].readline())


def finished_blocks(out: Path) -> dict[Key, int]:
    """Keys of the finished blocks; for the end of a video its number of frames."""
    return {tuple(line['block']): line.get('num_read', 0) for line in read_parts(out)}


def remove_parts(out: Path) -> None:
    """Forget an earlier run."""
    for path in _part_files(out):
        path.unlink()
    if (out / FOLDER).is_dir() and not os.listdir(out / FOLDER):
        (out / FOLDER).rmdir()
