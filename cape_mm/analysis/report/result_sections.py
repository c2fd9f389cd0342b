"""The tables of a report: overall, and by category, group, keypoint and visibility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...evaluation.breakdowns import macro_key
from ...evaluation.report import OVERALL_ROWS
from .blocks import Bar, Block, Folded, Section, Table, Text
from .numbers import DASH, difference, interval, is_missing, percent, pixels, share

PCK, FLOOR = 'PCK@0.2', 'copy_support/PCK@0.2'
FLOORS = {'copy_support': 'copy support', 'matching': 'matching'}
"""Names by the prefix of their metrics; the second only of models with a matcher."""
VISIBILITY_NAMES = {'v=1': 'hidden (v = 1)', 'v=2': 'seen (v = 2)'}

BAR_TITLE = 'red: copy support'

Metrics = Mapping[str, Any]


def floors_of(metrics: Metrics) -> dict[str, str]:
    """The floors that stand beside the method, of ``FLOORS``."""
    return {
        prefix: name
        for prefix, name in FLOORS.items()
        if prefix == 'copy_support' or f'{prefix}/{PCK}' in metrics
    }


def overall_section(metrics: Metrics) -> Section:
    """Every official value beside the floor, with its intervals."""
    found = metrics.get('confidence_intervals') or {}
    episodes, categories = (
        found.get(name) or {} for name in ('over_episodes', 'over_categories')
    )
    floors = floors_of(metrics)
    rows = []
    for key in OVERALL_ROWS + tuple(map(macro_key, (PCK, 'mPCK5'))):
        if key in metrics:
            name, show, scale = _kind(key)
            value, cells = metrics[key], []
            for floor in (metrics.get(f'{prefix}/{key}') for prefix in floors):
                cells += [show(floor), difference(value, floor, scale)]
            ends = (interval(rows.get(key), scale) for rows in (episodes, categories))
            rows.append((name, show(value), *cells, *ends))
    level = f'{100 * found.get("level", 0.95):g} %'
    header = (
        *('', 'method', *_floor_header(floors)),
        *(f'{level}, other episodes', f'{level}, other categories'),
    )
    text = _explain(found, 'matching' in floors)
    return Section('overall', 'Overall', [Table(header, rows), Text(text)])


def _floor_header(floors: Mapping[str, str]) -> list[str]:
    return [cell for name in floors.values() for cell in (name, 'difference')]


def _kind(key: str) -> tuple[str, Any, float]:
    name = key
    for mark, meaning in (
        ('_valid', 'valid pairs'),
        ('_macro', 'mean over categories'),
    ):
        if mark in key:
            name = f'{key.replace(mark, "")}, {meaning}'
    if key == 'EPE':
        return f'{name} [px]', pixels, 1
    return f'{name} [%]', percent, 100


def _explain(found: Metrics, has_matcher: bool) -> str:
    text = (
        'Copy support pastes the points of the support into the box of the query '
        'without looking at an image: the floor of every result. '
    )
    if has_matcher:
        text += (
            'Matching compares the features of the backbone, without anything learned '
            'on top of them. '
        )
    text += 'NME and EPE are errors, lower is better.'
    if not found:
        return text
    return (
        f'{text} Intervals: bootstrap of {found["num_resamples"]:,} resamples (seed '
        f'{found["seed"]}), over the episodes of every category ("other episodes") and '
        f'over whole categories ("other categories"). A dash: none, or '
        f'nothing to draw again.'
    )


def category_section(metrics: Metrics) -> Section:
    """One line per category."""
    table = metrics.get('per_category') or {}
    if not table:
        return Section('categories', 'Categories', [Text('There is none.')])
    floors = floors_of(metrics)
    rows = [
        (
            name,
            percent(row[PCK]),
            interval(row.get(f'{PCK}_interval')),
            *_floor_cells(row, floors),
            percent(row['mPCK5']),
            f'{row["num_pairs"]:,}',
            f'{row.get("num_pairs_dropped", 0):,}',
        )
        for name, row in table.items()
    ]
    bars = [Bar(share(row[PCK]), share(row[FLOOR])) for row in table.values()]
    header = (
        *('category (id name)', f'{PCK} [%]', '95 %', *_floor_header(floors)),
        *('mPCK5', 'pairs', 'dropped'),
    )
    blocks: list[Block] = [Table(header, rows, bars, BAR_TITLE)]
    lost = [name for name, row in table.items() if is_missing(row[PCK])]
    if lost:
        listed = ', '.join(lost)
        warning = f'Nothing was scored of {len(lost)} of {len(table)} categories: '
        blocks.insert(0, Text(f'{warning}{listed}.', is_warning=True))
    return Section('categories', 'Categories', blocks)


def _floor_cells(row: Metrics, floors: Mapping[str, str]) -> list[str]:
    values = [row.get(f'{prefix}/{PCK}') for prefix in floors]
    return [
        cell
        for value in values
        for cell in (percent(value), difference(row[PCK], value))
    ]


def group_section(metrics: Metrics) -> Section:
    """One line per super-category."""
    table = metrics.get('per_supercategory') or {}
    title = 'Super-categories'
    if not table:
        return Section('groups', title, [Text('The annotation file names none.')])
    rows = [
        (name, percent(row[PCK]), percent(row['mPCK5']))
        + (f'{row["num_categories"]:,}', f'{row["num_pairs"]:,}')
        for name, row in table.items()
    ]
    bars = [Bar(share(row[PCK])) for row in table.values()]
    header = ('super-category', f'{PCK} [%]', 'mPCK5 [%]', 'categories', 'pairs')
    return Section('groups', title, [Table(header, rows, bars)])


def visibility_blocks(metrics: Metrics) -> list[Block]:
    """The keypoints that the query shows, and those that it hides."""
    table = metrics.get('by_visibility') or {}
    if not table:
        return [Text('The labels do not tell hidden keypoints from seen ones.')]
    rows = [
        (VISIBILITY_NAMES.get(name, name), percent(row['PCK@0.05']))
        + (percent(row[PCK]), f'{row["num_keypoints"]:,}')
        for name, row in table.items()
    ]
    bars = [Bar(share(row[PCK])) for row in table.values()]
    header = ('keypoints of the query', 'PCK@0.05 [%]', f'{PCK} [%]', 'keypoints')
    return [
        Table(header, rows, bars),
        Text('All scored keypoints of all pairs alike, not the mean over pairs.'),
    ]


def keypoint_section(
    metrics: Metrics, keypoint_names: Mapping[int, Sequence[str]]
) -> Section:
    """Every keypoint, category by category, behind a title each.

    Args:
        metrics: of ``EpisodePCK``.
        keypoint_names: by category id, as far as known.
    """
    blocks: list[Block] = []
    for name, row in (metrics.get('per_category') or {}).items():
        per_keypoint = row.get('per_keypoint')
        if per_keypoint:
            known = keypoint_names.get(id_of(name), ())
            blocks.append(_keypoints_of(name, row, per_keypoint, known))
    if not blocks:
        blocks = [Text('Not known of any category.')]
    return Section('keypoints', 'Keypoints', blocks)


def id_of(name: str) -> int:
    """Category id of a row of ``per_category``, ``'<id> <name>'``."""
    return int(name.split(' ', 1)[0])


def _keypoints_of(
    name: str, row: Metrics, per_keypoint: Metrics, known: Sequence[str]
) -> Folded:
    values, counts = per_keypoint[PCK], per_keypoint['num_scored']
    rows = [
        (f'{k} {known[k] if k < len(known) else ""}'.strip(), percent(value))
        + (f'{counts[k]:,}' if counts[k] else DASH,)
        for k, value in enumerate(values)
    ]
    bars = [Bar(share(value)) for value in values]
    table = Table(('keypoint', f'{PCK} [%]', 'pairs that score it'), rows, bars)
    return Folded(f'{name}: {len(values)} keypoints, {percent(row[PCK])} %', [table])
