"""The plan as a table per source and category, and what needs a person's eye."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..mp100_sources import SOURCES, UNKNOWN_SOURCE
from .matching import BY_NAME_ALONE
from .plan import Action, Plan, PlanEntry

COLUMNS = ('images', 'there', 'to make', 'missing', 'ambiguous', 'in the way')
MAX_LISTED = 50
"""Images listed per kind of trouble; what is left out is counted."""

Row = tuple[str, Counter[Action]]


def format_plan(plan: Plan) -> str:
    """Table, list of troubles, and notes; empty parts are left out.

    A broken link counts as 'to make'.
    """
    parts = [
        _table(_rows(plan)),
        _ambiguous(plan.entries),
        _blocked(plan.entries),
        _notes(plan),
    ]
    return '\n\n'.join(part for part in parts if part)


def _rows(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for source in (*SOURCES, UNKNOWN_SOURCE):
        entries = [e for e in plan.entries if e.wanted.source == source]
        if not entries:
            continue
        index = plan.indices.get(source)
        where = index.root if index else _option(source)
        rows.append((f'{source} ({where})', _count(entries)))
        groups: dict[tuple[int, str], list[PlanEntry]] = {}
        for entry in entries:
            category_id = entry.wanted.category_id
            key = (-1 if category_id is None else category_id, entry.wanted.folder)
            groups.setdefault(key, []).append(entry)
        for (category_id, folder), group in sorted(groups.items()):
            number = '-' if category_id < 0 else category_id
            rows.append((f'  {number:>3} {folder}', _count(group)))
    return [*rows, ('all', _count(plan.entries))]


def _option(source: str) -> str:
    if source == UNKNOWN_SOURCE:
        return 'no source data set of MP-100'
    return f'--{SOURCES[source].key} not given'


def _count(entries: Iterable[PlanEntry]) -> Counter[Action]:
    return Counter(entry.action for entry in entries)


def _table(rows: Sequence[Row]) -> str:
    width = max(len(title) for title, _ in rows)
    header = 'source and category'.ljust(width)
    lines = [header + ''.join(f'{name:>12}' for name in COLUMNS)]
    for title, counts in rows:
        values = (
            counts.total(),
            counts[Action.KEEP],
            counts[Action.LINK] + counts[Action.REPLACE],
            counts[Action.MISSING],
            counts[Action.AMBIGUOUS],
            counts[Action.BLOCKED],
        )
        cells = ''.join(f'{value or "-":>12}' for value in values)
        lines.append(title.ljust(width) + cells)
    return '\n'.join(lines)


def _ambiguous(entries: Iterable[PlanEntry]) -> str:
    chosen = [e for e in entries if e.action is Action.AMBIGUOUS]
    lines = [
        f'  {e.wanted.file_name} ({e.match.reason}): {", ".join(e.match.candidates)}'
        for e in chosen
    ]
    title = 'ambiguous, none was taken; keep the right one in the source folder'
    return _listing(title, lines)


def _blocked(entries: Iterable[PlanEntry]) -> str:
    chosen = [e for e in entries if e.action is Action.BLOCKED]
    lines = [f'  {e.target} differs from {e.match.path}' for e in chosen]
    title = 'in the way, left as it is; remove what is wrong and run this again'
    return _listing(title, lines)


def _listing(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ''
    shown = list(lines[:MAX_LISTED])
    if len(lines) > MAX_LISTED:
        shown.append(f'  ... and {len(lines) - MAX_LISTED:,} more')
    return '\n'.join([f'{title}:', *shown])


def _notes(plan: Plan) -> str:
    notes = []
    for source in plan.indices:
        notes += [f'note: {source}: {text}' for text in _source_notes(plan, source)]
    renamed = sum(entry.match.reason == BY_NAME_ALONE for entry in plan.entries)
    if renamed:
        notes.append(
            f'note: CarFusion: {renamed:,} images were taken by their renamed files. '
            f'Such names depend on the machine that made them; give the published '
            f'scenes (images_jpg and gt) to have every picture verified by its labels.'
        )
    return '\n'.join(notes)


def _source_notes(plan: Plan, source: str) -> list[str]:
    index = plan.indices[source]
    entries = [entry for entry in plan.entries if entry.wanted.source == source]
    notes = [f'unreadable folder {text}' for text in index.unreadable]
    missing = [entry for entry in entries if entry.action is Action.MISSING]
    if missing:
        first = missing[0]
        notes.append(
            f'{len(missing):,} images missing, the first is '
            f'{first.wanted.file_name}: {first.match.reason}'
        )
    if index.packed and missing and len(missing) == len(entries):
        notes.append(f'still packed? {index.packed[0]} ({SOURCES[source].download})')
    return notes
