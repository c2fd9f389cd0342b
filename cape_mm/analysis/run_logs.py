"""Reading back what runs have logged, also damaged or resumed ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..errors import MissingDataError

SCALARS_FILE = 'scalars.json'


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
        notes: what a reader of the curves should know.
        num_replaced: rows that a resume has computed again.
    """

    name: str
    curves: dict[str, Curve] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    num_replaced: int = 0


class _Row(NamedTuple):
    is_training: bool
    step: float
    values: Mapping[str, float]


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
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    log = RunLog(folder.parent.name if folder.name == 'vis_data' else folder.name)
    rows: list[_Row] = []
    files = _find_files(path)
    sessions = [_read_rows(file) for file in files]
    num_damaged = sum(damaged for _, damaged in sessions)
    for new in _in_order([session for session, _ in sessions]):
        kept = _before(rows, new)
        log.num_replaced += len(rows) - len(kept)
        rows = kept + new
    if not rows:
        raise MissingDataError(
            f'{run_dir}: none of the {num_damaged} lines of its {SCALARS_FILE} can '
            f'be read. Is it the file of a training that was logging?'
        )
    if num_damaged:
        log.notes.append(f'{num_damaged} damaged line(s) left out')
    if len(files) > 1:
        log.notes.append(
            f'{len(files)} sessions joined, {log.num_replaced} row(s) of an earlier '
            f'one computed again by a later one'
        )
    points: dict[tuple[str, bool], dict[float, float]] = {}
    for row in rows:
        for key, value in row.values.items():
            points.setdefault((key, row.is_training), {})[row.step] = value
    for (key, is_training), values in points.items():
        # iterations and epochs on one axis would be nonsense
        name = f'val/{key}' if not is_training and (key, True) in points else key
        steps, numbers = zip(*sorted(values.items()))
        log.curves[name] = Curve(steps, numbers, is_training)
    return log


def _in_order(sessions: Sequence[list[_Row]]) -> list[list[_Row]]:
    """Sessions such that each begins where those before it have been.

    Their files' times are not enough: a clock may have been put back, or a copy may
    have made all of them new.
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


def _find_files(path: Path) -> list[Path]:
    """The scalar files of a run, in the order in which they were written last."""
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


def _read_rows(file: Path) -> tuple[list[_Row], int]:
    """The readable rows of a file, and the number of damaged lines.

    A process that is killed leaves half a line, a machine that loses power bytes of
    zero; both are no reason to lose the rest.
    """
    rows: list[_Row] = []
    num_damaged = 0
    for line in file.read_text(encoding='utf-8', errors='replace').splitlines():
        if not line.strip():
            continue
        try:
            values = {k: float(v) for k, v in json.loads(line).items() if _is_number(v)}
            step = values.pop('step')
        except (AttributeError, KeyError, ValueError):
            num_damaged += 1
            continue
        # MMEngine logs the iteration with every training step
        is_training = values.pop('iter', None) is not None
        rows.append(_Row(is_training, step, values))
    return rows, num_damaged


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _before(rows: list[_Row], new: list[_Row]) -> list[_Row]:
    """Rows of earlier sessions that a new session does not compute again."""
    first: dict[bool, float] = {}
    for row in new:
        first.setdefault(row.is_training, row.step)
        if 'epoch' in row.values:
            # this epoch's validation is not older than its training
            first.setdefault(False, row.values['epoch'])
    return [row for row in rows if row.step < first.get(row.is_training, math.inf)]
