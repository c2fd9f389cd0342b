"""Reading back what runs have logged, also damaged or resumed ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import MissingDataError

SCALARS_FILE = 'scalars.json'
STAGES = ('train/', 'val/')


@dataclass(frozen=True)
class Curve:
    """The values of one key of a run.

    Attributes:
        steps: strictly increasing; iterations of training values, else epochs (or
            iterations, where a training has no epochs).
        values: as logged, NaN and infinity included.
        is_training: logged by a training step, not by a validation.
    """

    steps: tuple[float, ...]
    values: tuple[float, ...]
    is_training: bool


@dataclass
class RunLog:
    """All that a run has logged.

    Attributes:
        name: of the run's folder.
        curves: by key.
        num_sessions: starts of the training, resumes included.
        num_damaged: lines that can't be read.
        num_replaced: rows that a resume has computed again.
    """

    name: str
    curves: dict[str, Curve] = field(default_factory=dict)
    num_sessions: int = 1
    num_damaged: int = 0
    num_replaced: int = 0


@dataclass(frozen=True)
class _Row:
    step: float
    epoch: float | None
    values: Mapping[str, float]

    @property
    def is_training(self) -> bool:
        return 'iter' in self.values


def read_run(run_dir: str | Path) -> RunLog:
    """Read the logs of a run.

    Where a resumed session repeats steps, what it has logged replaces the earlier
    session's rows from its first step on.

    Args:
        run_dir: work directory, a session's folder in it, or a ``scalars.json``.

    Raises:
        MissingDataError: there is no such file, or it has no readable row.
    """
    path = Path(run_dir)
    files = find_scalar_files(path)
    log = RunLog(_name_of(path), num_sessions=len(files))
    sessions = [read_rows(file) for file in files]
    log.num_damaged = sum(num_damaged for _, num_damaged in sessions)
    rows: list[_Row] = []
    for new in order_sessions([session for session, _ in sessions]):
        kept = _before(rows, new)
        log.num_replaced += len(rows) - len(kept)
        rows = kept + new
    if not rows:
        raise MissingDataError(
            f'{run_dir}: none of the {log.num_damaged} lines of its {SCALARS_FILE} can '
            f'be read. Is it the file of a training that was logging?'
        )
    log.curves = _collect(rows)
    return log


def find_scalar_files(path: Path) -> list[Path]:
    """The scalar files of a run, in the order in which they were written last.

    The folders' names are local time, in which a later one can come first.

    Raises:
        MissingDataError: there are none.
    """
    if path.is_file():
        return [path]
    patterns = ('*/vis_data', 'vis_data', '.')
    found = [file for p in patterns for file in path.glob(f'{p}/{SCALARS_FILE}')]
    if not found:
        what = 'has no logs of a training' if path.is_dir() else 'does not exist'
        raise MissingDataError(
            f'{path} {what}: expected a work directory of tools/train.py, with '
            f'<timestamp>/vis_data/{SCALARS_FILE}'
        )
    return sorted(found, key=lambda file: (file.stat().st_mtime_ns, file))


def order_sessions(sessions: Sequence[list[_Row]]) -> list[list[_Row]]:
    """Sessions such that each begins where those before it have been.

    Args:
        sessions: in the order of their files, which a clock that was put back, or a
            copy, may have mixed up.
    """
    steps = [[row.step for row in rows if row.is_training] for rows in sessions]
    spacing = max((b - a for one in steps for a, b in zip(one, one[1:])), default=0.0)
    waiting, ordered, reached = list(range(len(sessions))), [], 0.0
    while waiting:
        # one that no other leads up to has lost its beginning: the lowest comes next
        chosen = next(
            (i for i in waiting if min(steps[i], default=0.0) <= reached + spacing),
            min(waiting, key=lambda i: min(steps[i], default=0.0)),
        )
        waiting.remove(chosen)
        ordered.append(sessions[chosen])
        reached = max([reached, *steps[chosen]])
    return ordered


def read_rows(file: Path) -> tuple[list[_Row], int]:
    """The readable rows of a file, and the number of damaged lines.

    A process that is killed leaves half a line, a machine that loses power bytes of
    zero; both are no reason to lose the rest.
    """
    rows: list[_Row] = []
    num_damaged = 0
    for line in file.read_text(encoding='utf-8', errors='replace').splitlines():
        if line.strip():
            row = _parse(line)
            num_damaged += row is None
            rows += [] if row is None else [row]
    return rows, num_damaged


def _parse(line: str) -> _Row | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not _is_number(content.get('step')):
        return None
    values = {
        _plain(key): float(value) for key, value in content.items() if _is_number(value)
    }
    step = values.pop('step')
    return _Row(step, values.get('epoch'), values) if math.isfinite(step) else None


def _plain(key: str) -> str:
    """A key without the stage that ``log_with_hierarchy=True`` puts before it."""
    for stage in STAGES:
        key = key.removeprefix(stage)
    return key


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _before(rows: Sequence[_Row], new: Iterable[_Row]) -> list[_Row]:
    """Rows of earlier sessions that a new session does not compute again."""
    first: dict[bool, float] = {}
    for row in new:
        first.setdefault(row.is_training, row.step)
        if row.is_training and row.epoch is not None:
            # this epoch's validation is not older than its training
            first.setdefault(False, row.epoch)
    return [row for row in rows if row.step < first.get(row.is_training, math.inf)]


def _collect(rows: Iterable[_Row]) -> dict[str, Curve]:
    """Curves by key; a key of both stages has ``val/`` before it in validation."""
    points: dict[tuple[str, bool], dict[float, float]] = {}
    for row in rows:
        for key, value in row.values.items():
            if key not in ('epoch', 'iter'):
                points.setdefault((key, row.is_training), {})[row.step] = value
    curves: dict[str, Curve] = {}
    for (key, is_training), values in points.items():
        is_shared = not is_training and (key, True) in points
        steps = tuple(sorted(values))
        curves[f'val/{key}' if is_shared else key] = Curve(
            steps, tuple(values[step] for step in steps), is_training
        )
    return curves


def _name_of(path: Path) -> str:
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    return folder.parent.name if folder.name == 'vis_data' else folder.name
