"""What a check found, for people: a table of a readable length."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from .findings import SEVERITIES, Finding
from .images import count_images

if TYPE_CHECKING:
    from .report import DatasetReport, FileReport

MAX_ROWS = 25
MAX_ITEMS = 3
NAME_WIDTH = 34


def format_report(report: DatasetReport) -> str:
    """Lay out a report as text.

    Long lists show their first entries; ``to_dict()`` has all of them.

    Returns:
        Blocks without a trailing newline: files, dropped annotations, images by source
        and category, findings, verdict.
    """
    blocks = [
        _file_lines(report),
        _drop_lines(report.files),
        _source_lines(report),
        _missing_lines(report),
        _finding_lines(report),
        _verdict_lines(report),
    ]
    return '\n\n'.join('\n'.join(block) for block in blocks if block)


def _file_lines(report: DatasetReport) -> list[str]:
    lines = [
        f'{"annotation file":<{NAME_WIDTH}}{"images":>9}{"annotations":>13}{"kept":>9}'
        f'{"retention":>11}{"with image":>12}{"categories":>12}{"usable":>8}'
    ]
    for file in report.files:
        lines.append(
            f'{_cut(file.path.name):<{NAME_WIDTH}}{file.num_images:>9,}'
            f'{file.num_annotations:>13,}{file.num_kept:>9,}{file.retention:>9.2f} %'
            f'{file.num_available:>12,}{len(file.categories):>12,}'
            f'{len(file.usable_category_ids):>8,}'
        )
    lines += [
        f'{path.name}: no annotation file, not checked' for path in report.skipped
    ]
    lines.append(
        f'usable: categories with enough kept instances with an image for '
        f'{report.num_shots} + {report.num_queries} per episode, queries on other '
        f'images than supports'
    )
    return lines


def _drop_lines(files: list[FileReport]) -> list[str]:
    dropped: Counter[str] = Counter()
    for file in files:
        dropped.update({reason: len(ids) for reason, ids in file.dropped.items()})
    if not dropped:
        return []
    rows = [f'{number:>9,}  {reason}' for reason, number in dropped.most_common()]
    return ['dropped annotations', *rows]


def _source_lines(report: DatasetReport) -> list[str]:
    if not report.images:
        return []
    state = 'looked for and decoded' if report.is_decoded else 'looked for'
    lines = [
        f'{f"image source ({state})":<{NAME_WIDTH}}{"files":>9}{"missing":>9}'
        f'{"categories with missing files":>31}'
    ]
    for row in count_images(report.images):
        missing = sum(category['num_missing'] > 0 for category in row['categories'])
        lines.append(
            f'{_cut(row["source"]):<{NAME_WIDTH}}{row["num_files"]:>9,}'
            f'{row["num_missing"]:>9,}{missing:>22,} of {len(row["categories"]):,}'
        )
    total = f'{len(report.images):>9,}{len(report.missing_images):>9,}'
    return [*lines, f'{"all":<{NAME_WIDTH}}{total}']


def _missing_lines(report: DatasetReport) -> list[str]:
    """Categories with missing files, the worst first, each with its first path."""
    if not report.missing_images:
        return []
    first: dict[tuple[str, int], str] = {}
    for image in report.missing_images:
        for key, _ in image.categories:
            first.setdefault((image.source, key), image.path)
    rows = [
        (row['source'], category)
        for row in count_images(report.images)
        for category in row['categories']
        if category['num_missing']
    ]
    rows.sort(key=lambda item: (-item[1]['num_missing'], item[0], item[1]['id']))
    lines = [f'{"missing images by category":<{NAME_WIDTH}}{"missing":>15}  first path']
    for source, category in rows[:MAX_ROWS]:
        name = _cut(f'{source}: {category["id"]} {category["name"]}')
        count = f'{category["num_missing"]:,} of {category["num_files"]:,}'
        path = first[source, category['id']]
        lines.append(f'{name:<{NAME_WIDTH}}{count:>15}  {path}')
    if len(rows) > MAX_ROWS:
        lines.append(f'... and {len(rows) - MAX_ROWS:,} more categories')
    return lines


def _finding_lines(report: DatasetReport) -> list[str]:
    """Findings of one kind joined over the files, the worst severity first."""
    joined: dict[tuple[int, str, str], list[tuple[str, Finding]]] = defaultdict(list)
    for name, finding in report.all_findings():
        key = (SEVERITIES.index(finding.severity), finding.kind, finding.noun)
        joined[key].append((name, finding))
    if not joined:
        return []
    lines = ['findings (refused: stops training; gap: something is lost; note: fine)']
    for (_, kind, noun), parts in sorted(joined.items(), key=lambda item: item[0][0]):
        count = sum(len(finding.items) for _, finding in parts)
        severity = parts[0][1].severity
        shown = _first_items(parts, with_names=len(report.files) > 1)
        more = ', ...' if count > MAX_ITEMS else ''
        lines.append(f'{severity:<8}{count:>7,}  {kind} [{noun}]: {shown}{more}')
    return lines


def _first_items(parts: list[tuple[str, Finding]], with_names: bool) -> str:
    """The first items of findings, each file's name before the first of its own."""
    pairs = [(name, item) for name, finding in parts for item in finding.items]
    texts, last = [], ''
    for name, item in pairs[:MAX_ITEMS]:
        is_new = with_names and name != last
        texts.append(f'{name}: {item}' if is_new else str(item))
        last = name
    return ', '.join(texts)


def _verdict_lines(report: DatasetReport) -> list[str]:
    lines = [f'verdict: {report.verdict} (exit code {report.exit_code})']
    unusable = [file.path.name for file in report.files if file.exit_code == 2]
    if unusable:
        lines.append(f'unusable: {", ".join(unusable)}')
    return lines


def _cut(name: str) -> str:
    room = NAME_WIDTH - 1
    return name if len(name) <= room else f'{name[: room - 3]}...'
