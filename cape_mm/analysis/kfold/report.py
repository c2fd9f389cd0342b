"""The summary of all folds as Markdown, LaTeX and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...evaluation.report import OVERALL_ROWS, write_metrics
from ...utils.atomic_write import write_text_atomically
from .summary import STATISTICS

HEADINGS = dict(mean='mean', std='sd', min='min', max='max')


def write_reports(summary: Mapping[str, Any], out_dir: Path, title: str) -> list[Path]:
    """Write ``kfold.md``, ``kfold.tex`` and ``kfold.json``.

    Args:
        summary: what :func:`~cape_mm.analysis.kfold.summary.summarise` returned.
        out_dir: folder of the reports.
        title: what was run.

    Returns:
        The three files.
    """
    out_dir = Path(out_dir)
    return [
        write_text_atomically(out_dir / 'kfold.md', format_markdown(summary, title)),
        write_text_atomically(out_dir / 'kfold.tex', format_latex(summary, title)),
        write_metrics(dict(config=title, **summary), out_dir / 'kfold.json'),
    ]


def format_markdown(summary: Mapping[str, Any], title: str) -> str:
    """The summary as a Markdown table with its reservations below."""
    header = _header(summary, mark='\\*')
    lines = [f'# {title}', '', _markdown_row(header)]
    lines.append(_markdown_row(['---', *['---:'] * (len(header) - 1)]))
    lines += [_markdown_row(row) for row in _rows(summary)]
    lines.append('')
    lines += [f'- {note}' for note in describe_notes(summary)]
    return '\n'.join(lines) + '\n'


def format_latex(summary: Mapping[str, Any], title: str) -> str:
    """The summary as a LaTeX ``tabular`` for the package booktabs."""
    header = _header(summary, mark='$^*$')
    lines = [f'% {title}; needs \\usepackage{{booktabs}}']
    lines.append(f'\\begin{{tabular}}{{l{"r" * (len(header) - 1)}}}')
    lines += ['\\toprule', _latex_row(header), '\\midrule']
    lines += [_latex_row(row) for row in _rows(summary)]
    lines += ['\\bottomrule', '\\end{tabular}']
    lines += [f'% {note}' for note in describe_notes(summary)]
    return '\n'.join(lines) + '\n'


def describe_notes(summary: Mapping[str, Any]) -> list[str]:
    """What a reader has to know about the numbers, a sentence each."""
    protocol = ', '.join(f'{k}={v}' for k, v in summary['protocol'].items())
    notes = [
        'PCK, mPCK, AUC and NME in percent, EPE in pixels; sd is the sample standard '
        'deviation over splits (n - 1); copy support is the floor, a mean too',
        f'protocol: {protocol or "not recorded"}',
    ]
    versions = {
        fold.get('cape_mm_version', 'unknown') for fold in summary['folds'].values()
    }
    if len(versions) > 1:
        notes.append(f'measured with several versions: {", ".join(sorted(versions))}')
    for split, reason in summary['partial'].items():
        notes.append(f'split {split} is PARTIAL: {reason}')
    if summary['missing']:
        listed = ', '.join(map(str, summary['missing']))
        notes.append(f'NOT FINISHED: split {listed}')
    if not summary['complete']:
        notes.append(describe_mean(summary))
    return notes


def describe_mean(summary: Mapping[str, Any]) -> str:
    """What the mean of an incomplete summary is worth, or why there is none."""
    if not summary['mean_of']:
        return 'no mean: not all splits are finished on complete data (--allow-partial)'
    listed = ', '.join(map(str, summary['mean_of']))
    return f'PARTIAL MEAN over split {listed}: do not compare it with published numbers'


def _header(summary: Mapping[str, Any], mark: str) -> list[str]:
    splits = [
        f'split {split}{mark if split in summary["partial"] else ""}'
        for split in summary['folds']
    ]
    suffix = '' if summary['complete'] else mark
    means = [HEADINGS[name] + suffix for name in STATISTICS]
    return ['metric', *splits, *means, f'copy support{suffix}']


def _rows(summary: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for name in OVERALL_ROWS:
        entry = summary['metrics'].get(name)
        if entry is None:
            continue
        scale = 1 if name == 'EPE' else 100
        values = [entry['values'][split] for split in summary['folds']]
        floor = entry.get('copy_support') or {}
        values += [*(entry[key] for key in STATISTICS), floor.get('mean')]
        rows.append([name, *(_number(value, scale) for value in values)])
    return rows


def _number(value: float | None, scale: float) -> str:
    return '-' if value is None else f'{scale * value:.1f}'


def _markdown_row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _latex_row(cells: Sequence[str]) -> str:
    escaped = [cell.replace('_', '\\_').replace('%', '\\%') for cell in cells]
    return f'{" & ".join(escaped)} \\\\'
