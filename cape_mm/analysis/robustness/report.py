"""The result as text, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...evaluation.report import write_metrics
from ...utils.atomic_write import write_text_atomically

FILE_STEM = 'robustness'
COLUMNS = (
    'perturbation',
    'PCK@0.2',
    'clean',
    'change',
    'interval',
    'p',
    'copy',
    'pairs',
)


def format_text(result: Mapping[str, Any]) -> str:
    """The table for the screen, in percent; a star marks an interval without zero."""
    rows = [COLUMNS, *map(format_row, result['perturbations'])]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        '  '.join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
    return '\n'.join(
        [*head_lines(result), '', *lines, '', *note_lines(result)]
    ).rstrip()


def format_markdown(result: Mapping[str, Any]) -> str:
    """The same as Markdown, with the plot."""
    rows = [format_row(record) for record in result['perturbations']]
    marks = ['---', *['---:'] * (len(COLUMNS) - 1)]
    table = [f'| {" | ".join(row)} |' for row in (COLUMNS, marks, *rows)]
    notes = [f'- {line}' for line in note_lines(result)]
    head = '\n\n'.join(head_lines(result))
    parts = [
        f'# Robustness\n\n{head}',
        '\n'.join(table),
        '\n'.join(notes),
        f'![PCK under perturbations]({FILE_STEM}.png)',
    ]
    return '\n\n'.join(part for part in parts if part) + '\n'


def head_lines(result: Mapping[str, Any]) -> list[str]:
    """What was measured, and how to read the columns."""
    run, clean = result['run'], result['clean']
    dropped = clean['num_pairs_dropped']
    return [
        f'{run["config"]}, {run["checkpoint"]}',
        f'clean: PCK@0.2 {_percent(clean["PCK@0.2"])}, copying the support '
        f'{_percent(clean["copy_support/PCK@0.2"])}; {clean["num_pairs"]:,} pairs in '
        f'{clean["num_episodes"]:,} episodes of {clean["num_categories"]} categories'
        + (f', {dropped:,} pairs dropped: a partial result' if dropped else ''),
        f'in percent; "clean" is the clean run on the same keypoints, "interval" that '
        f'of the change ({100 * run["level"]:g} %, paired, '
        f'{_drawn(result)} drawn again, {run["num_resamples"]:,} resamples, seed '
        f'{run["seed"]}), "copy" the support copied onto what the network sees',
    ]


def _drawn(result: Mapping[str, Any]) -> str:
    return 'categories' if result['clean']['num_categories'] > 1 else 'episodes'


def format_row(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells in the order of ``COLUMNS``."""
    if 'PCK@0.2' not in record:
        return (record['label'], *['-'] * (len(COLUMNS) - 2), '0')
    spread = uncertainty_of(record)
    ends, p_value = '-', '-'
    if spread is not None:
        low, high = 100 * spread['low'], 100 * spread['high']
        star = ' *' if low > 0 or high < 0 else '  '
        ends, p_value = f'{low:+.1f} to {high:+.1f}{star}', f'{spread["p_value"]:.3f}'
    return (
        record['label'],
        _percent(record['PCK@0.2']),
        _percent(record['clean']),
        f'{100 * record["difference"]:+.1f}',
        ends,
        p_value,
        _percent(record['copy_support/PCK@0.2']),
        f'{record["num_pairs"]:,}',
    )


def uncertainty_of(record: Mapping[str, Any]) -> Mapping[str, float] | None:
    """The wider interval of a change where there is one: that over categories."""
    return record.get('over_categories') or record.get('over_episodes')


def note_lines(result: Mapping[str, Any]) -> list[str]:
    """What has to be known of single rows."""
    return list(_notes(result['perturbations']))


def _notes(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for record in records:
        notes = list(record['notes'])
        left_out = record['num_pairs_left_out']
        if left_out:
            notes.append(f'{left_out:,} pairs have nothing to compare')
        if notes:
            yield f'{record["label"]}: {"; ".join(notes)}'


def _percent(value: float) -> str:
    return f'{100 * value:.1f}'


def format_progress(record: Mapping[str, Any]) -> str:
    """One line of the log."""
    label, pck, clean, change = format_row(record)[:4]
    return (
        f'{label}: PCK@0.2 {pck}, clean {clean}, {change} ({record["seconds"]:.1f} s)'
    )


def write_report(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write JSON and Markdown; returns the paths."""
    return [
        write_metrics(result, folder / f'{FILE_STEM}.json'),
        write_text_atomically(folder / f'{FILE_STEM}.md', format_markdown(result)),
    ]
