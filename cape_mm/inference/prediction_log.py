"""What a run has predicted so far: JSON lines, which a run that goes on adds to.

The first line says what every prediction depends on. Inputs are predicted in their
order; each gives a line per picture or frame and then one that ends it. What comes
after the last end, a line cut off by a kill among it, counts as not written.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..utils.atomic_write import try_folder, write_bytes_atomically
from .results import InferenceResult, SkippedInput
from .smoothing import smooth_results
from .sources import Source
from .video import VideoReader

NAME = 'results.jsonl'
POINT_DECIMALS, SCORE_DECIMALS = 3, 4


class PredictionLog(closing):
    """The file of a run, open for adding.

    Args:
        out: folder of the results; made where needed.
        settings: what every prediction depends on.
        sources: all inputs, in their order.
        targets: names of the files and folders that the run writes later.
        force: replace what another run left.

    Attributes:
        num_done: inputs that are finished.

    Raises:
        ConfigError: the folder can't be written, holds results of another run, or a
            link to a folder elsewhere at a place of what is written.
    """

    def __init__(
        self,
        out: str | Path,
        settings: Mapping[str, Any],
        sources: Sequence[Source],
        targets: Iterable[str],
        force: bool,
    ) -> None:
        super().__init__(self)
        folder, targets = try_folder(out), list(targets)
        refuse_links(folder / name for name in targets)
        self.path, self.sources = folder / NAME, sources
        settings = json.loads(json.dumps(settings))
        known, self.num_done, end = self._read()
        if known != settings:
            in_the_way = [n for n in (NAME, *targets) if (folder / n).exists()]
            if in_the_way and not force:
                changed = ['files']
                if known is not None:
                    changed = [
                        key for key in settings if known.get(key) != settings[key]
                    ]
                raise ConfigError(
                    f'out {out} holds results of another run (other '
                    f'{", ".join(changed)}): {", ".join(in_the_way)}. Name another '
                    f'folder, or replace them with --force.'
                )
            line = json.dumps(settings).encode() + b'\n'
            write_bytes_atomically(self.path, line, durable=False)
            self.num_done, end = 0, len(line)
        self._file = open(self.path, 'rb+', buffering=0)  # noqa: SIM115
        self._file.truncate(end)
        self._file.seek(end)

    def _read(self) -> tuple[dict | None, int, int]:
        """Settings, finished inputs, and the place behind the last of these."""
        try:
            with open(self.path, 'rb') as file:
                line = file.readline()
                settings = json.loads(line)
                num_done, place = 0, len(line)
                end = place
                for line in file:
                    place += len(line)
                    if line.startswith(b'{"end"') and line.endswith(b'\n'):
                        num_done, end = num_done + 1, place
        except (OSError, ValueError):
            return None, 0, 0
        return settings if isinstance(settings, dict) else None, num_done, end

    def add(self, result: InferenceResult) -> None:
        """Add a picture or frame of the input that comes next.

        Raises:
            ConfigError: the disk is full.
        """
        self._write(_to_line(result))

    def finish(self, skipped: Sequence[SkippedInput]) -> None:
        """End the input that comes next; raises as :meth:`add`.

        Args:
            skipped: what of it could not be predicted.
        """
        pairs = [[one.frame, one.reason] for one in skipped]
        self._write(dict(end=self.num_done, skipped=pairs))
        self.num_done += 1

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line).encode() + b'\n')
        except OSError as error:
            raise ConfigError(f'{self.path} can not be written: {error}') from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def refuse_links(targets: Iterable[Path]) -> None:
    """Refuse to write through links: what they lead to is nobody's output.

    Raises:
        ConfigError: a target, or a folder in it, is a link to a folder.
    """
    for target in targets:
        folders = [Path(root, one) for root, own, _ in os.walk(target) for one in own]
        for folder in (target, *folders):
            if folder.is_symlink() and folder.is_dir():
                raise ConfigError(
                    f'{folder} is a link to another folder, where nothing shall be '
                    f'overwritten. Remove it, or name another folder for the results.'
                )


class LoggedResults:
    """All results of a finished run, read from its file whenever they are needed.

    Args:
        log: of the run.
        num_keypoints: K.
        smooth: see :func:`~.smoothing.smooth_results`; None leaves it out.
    """

    def __init__(
        self, log: PredictionLog, num_keypoints: int, smooth: str | None = None
    ) -> None:
        self.path, self.sources = log.path, log.sources
        self.num_keypoints, self.smooth = num_keypoints, smooth

    def __iter__(self) -> Iterator[InferenceResult]:
        for _, results in self.by_source():
            yield from results

    def by_source(self) -> Iterator[tuple[Source, Iterator[InferenceResult]]]:
        """Every input that has results, with them; they are gone with the next one."""
        lines = ((p, line) for p, line in self._lines() if 'end' not in line)
        for place, group in itertools.groupby(lines, key=lambda pair: pair[0]):
            source = self.sources[place]
            results: Iterator[InferenceResult] = (
                _to_result(line, source.name, self.num_keypoints) for _, line in group
            )
            if self.smooth is not None and source.is_video:
                with VideoReader(source.content) as reader:
                    results = smooth_results(results, self.smooth, reader.fps)
            yield source, results

    def skipped(self) -> list[SkippedInput]:
        """All that could not be predicted."""
        return [
            SkippedInput(self.sources[place].name, frame, reason)
            for place, line in self._lines()
            for frame, reason in line.get('skipped', ())
        ]

    def _lines(self) -> Iterator[tuple[int, dict]]:
        """Lines with the place of their input."""
        place = 0
        with open(self.path, 'rb') as file:
            file.readline()
            for text in file:
                line = json.loads(text)
                yield place, line
                place += 'end' in line


def _to_line(result: InferenceResult) -> dict[str, Any]:
    """A result as plain values; None where a model does not tell: JSON has no NaN."""
    visibility = np.round(result.visibility, SCORE_DECIMALS)
    return dict(
        frame=result.frame,
        size=list(result.image_size),
        boxes=np.round(result.boxes, POINT_DECIMALS).tolist(),
        keypoints=np.round(result.keypoints, POINT_DECIMALS).tolist(),
        confidence=np.round(result.confidence, SCORE_DECIMALS).tolist(),
        visibility=None if np.isnan(visibility).any() else visibility.tolist(),
        notes=list(result.notes),
    )


def _to_result(line: dict[str, Any], name: str, num_keypoints: int) -> InferenceResult:
    """The inverse of :func:`_to_line`."""
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
