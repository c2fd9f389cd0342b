"""What a check found, for people: a table of a readable length."""

from __future__ import annotations

from collections import Counter, defaultdict

from tabulate import tabulate

from .findings import SEVERITIES, Finding
from .images import count_images
from .report import DatasetReport, FileReport

MAX_ROWS = 50
MAX_ITEMS = 3
NAME_WIDTH = 34
PLAIN = dict(tablefmt='plain', disable_numparse=True, preserve_whitespace=True)


def format_report(report: DatasetReport) -> str:
    """Lay out a report as text.

    Long lists show their first entries; ``to_dict()`` has all of them.

    Returns:
        Blocks without a trailing newline: files, dropped annotations, images by source,
        findings, verdict.
    """
    blocks = [
        _files(report),
        _drops(report.files),
        _sources(report),
        _findings(report),
        _verdict(report),
    ]
    return '\n\n'.join(block for block in blocks if block)


def _files(report: DatasetReport) -> str:
    rows = [
        (
            _cut(file.path.name),
            *(f'{n:,}' for n in (file.num_images, file.num_annotations, file.num_kept)),
            f'{file.retention:.2f} %',
            f'{file.num_available:,}',
            len(file.categories),
            len(file.usable_category_ids),
        )
        for file in report.files
    ]
    headers = ['annotation file', 'images', 'annotations', 'kept', 'retention']
    headers += ['with image', 'categories', 'usable']
    lines = [
        tabulate(rows, headers, colalign=['left', *['right'] * 7], **PLAIN),
        *(f'{path.name}: no annotation file, not checked' for path in report.skipped),
        f'usable: categories with enough kept instances with an image for '
        f'{report.num_shots} + {report.num_queries} per episode, queries on other '
        f'images than supports',
    ]
    return '\n'.join(lines)


def _drops(files: list[FileReport]) -> str:
    dropped: Counter[str] = Counter()
    for file in files:
        dropped.update({reason: len(ids) for reason, ids in file.dropped.items()})
    rows = [f'{number:>9,}  {reason}' for reason, number in dropped.most_common()]
    return '\n'.join(['dropped annotations', *rows]) if rows else ''


def _sources(report: DatasetReport) -> str:
    """Image files by source."""
    if not report.images:
        return ''
    state = 'looked for and decoded' if report.is_decoded else 'looked for'
    sources = count_images(report.images)
    totals = dict(num_files=len(report.images), num_missing=len(report.missing_images))
    more = len(sources) - MAX_ROWS
    cells = [
        (_cut(row.get('source', 'all')), *(f'{row[key]:,}' for key in totals))
        for row in [totals, *sources[:MAX_ROWS]]
    ]
    headers = [f'image source ({state})', 'files', 'missing']
    text = tabulate(cells, headers, colalign=['left', 'right', 'right'], **PLAIN)
    return f'{text}\n... and {more:,} more' if more > 0 else text


def _findings(report: DatasetReport) -> str:
    """Findings of one kind joined over the files, the worst severity first."""
    joined: dict[tuple[int, str, str], list[tuple[str, Finding]]] = defaultdict(list)
    for name, finding in report.all_findings():
        key = (SEVERITIES.index(finding.severity), finding.kind, finding.noun)
        joined[key].append((name, finding))
    if not joined:
        return ''
    lines = ['findings (refused: stops training; gap: something is lost; note: fine)']
    for (rank, kind, noun), parts in sorted(
        joined.items(), key=lambda item: item[0][0]
    ):
        count = sum(len(finding.items) for _, finding in parts)
        shown = _first_items(parts, with_names=len(report.files) > 1)
        more = ', ...' if count > MAX_ITEMS else ''
        lines.append(
            f'{SEVERITIES[rank]:<8}{count:>7,}  {kind} [{noun}]: {shown}{more}'
        )
    return '\n'.join(lines)


def _first_items(parts: list[tuple[str, Finding]], with_names: bool) -> str:
    """The first items of findings, each file's name before the first of its own."""
    pairs = [(name, item) for name, finding in parts for item in finding.items]
    texts, last = [], ''
    for name, item in pairs[:MAX_ITEMS]:
        is_new = with_names and name != last
        texts.append(f'{name}: {item}' if is_new else str(item))
        last = name
    return ', '.join(texts)


def _verdict(report: DatasetReport) -> str:
    text = f'verdict: {report.verdict} (exit code {report.exit_code})'
    unusable = [file.path.name for file in report.files if file.exit_code == 2]
    return f'{text}\nunusable: {", ".join(unusable)}' if unusable else text


def _cut(name: str) -> str:
    room = NAME_WIDTH - 1
    return name if len(name) <= room else f'{name[: room - 3]}...'
