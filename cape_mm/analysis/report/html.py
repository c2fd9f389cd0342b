"""A report as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from .blocks import Bar, Block, Code, Figure, Folded, Report, Table, Text, printable
from .style import PAGE_STYLE

MEDIA_TYPES = dict(svg='image/svg+xml', jpg='image/jpeg')


def to_html(report: Report) -> str:
    """The page's text.

    Args:
        report: any text in it is escaped, whatever it holds.
    """
    links = ''.join(
        f'<li><a href="#{section.name}">{_safe(section.title)}</a></li>'
        for section in report.sections
    )
    sections = '\n'.join(
        f'<section id="{section.name}">\n<h2>{_safe(section.title)}</h2>\n'
        f'{_blocks(section.blocks)}\n</section>'
        for section in report.sections
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_safe(report.title)}</title>
<style>
{PAGE_STYLE}</style>
</head>
<body>
<header><div>
<h1>{_safe(report.title)}</h1>
<p class="subtitle">{_safe(report.subtitle)}</p>
</div></header>
<main>
{_blocks(report.warnings)}
{_cards(report.cards)}
<nav><ul>{links}</ul></nav>
{sections}
</main>
</body>
</html>
"""


def _safe(text: object) -> str:
    return escape(printable(text), quote=True)


def _cards(cards: Sequence[tuple[str, str, str]]) -> str:
    shown = ''.join(
        f'<div class="card"><span class="name">{_safe(name)}</span>'
        f'<span class="value">{_safe(value)}</span>'
        f'<span class="note">{_safe(note)}</span></div>'
        for name, value, note in cards
    )
    return f'<div class="cards">{shown}</div>'


def _blocks(blocks: Sequence[Block]) -> str:
    return '\n'.join(_block(block) for block in blocks)


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Text):
        style = ' class="warning"' if block.is_warning else ''
        return f'<p{style}>{_safe(block.text)}</p>'
    if isinstance(block, Code):
        return f'<pre>{_safe(block.text)}</pre>'
    if isinstance(block, Figure):
        return _figure(block)
    assert isinstance(block, Folded), type(block)
    return (
        f'<details>\n<summary>{_safe(block.title)}</summary>\n'
        f'{_blocks(block.blocks)}\n</details>'
    )


def _table(table: Table) -> str:
    """The table in a box of its own, which a narrow screen scrolls sideways."""
    style = '' if table.is_text else ' class="number"'
    first, *others = (_safe(title) for title in table.header)
    head = f'<th scope="col">{first}</th>'
    head += ''.join(f'<th scope="col"{style}>{title}</th>' for title in others)
    if table.bars:
        head += f'<th scope="col" class="bar">{_safe(table.bar_title)}</th>'
    bars = [_bar(bar) for bar in table.bars] or [''] * len(table.rows)
    body = '\n'.join(
        f'<tr>{_cells(row, table.is_text)}{bar}</tr>'
        for row, bar in zip(table.rows, bars)
    )
    head = f'<thead><tr>{head}</tr></thead>\n' if any(table.header) else ''
    return f'<div class="scroll"><table>\n{head}<tbody>\n{body}\n</tbody></table></div>'


def _cells(row: Sequence[str], is_text: bool) -> str:
    style = '' if is_text else ' class="number"'
    first, *others = (_safe(cell) for cell in row)
    cells = ''.join(f'<td{style}>{cell}</td>' for cell in others)
    return f'<th scope="row">{first}</th>{cells}'


def _bar(bar: Bar) -> str:
    if bar.value is None:
        return '<td class="bar"></td>'
    inner = f'<span class="fill" style="width:{100 * bar.value:.1f}%"></span>'
    if bar.mark is not None:
        inner += f'<span class="mark" style="left:{100 * bar.mark:.1f}%"></span>'
    return f'<td class="bar"><div class="track">{inner}</div></td>'


def _figure(figure: Figure) -> str:
    content = base64.b64encode(figure.content).decode('ascii')
    source = f'data:{MEDIA_TYPES[figure.kind]};base64,{content}'
    caption = _safe(figure.caption)
    return (
        f'<figure class="{figure.kind}"><img alt="{caption}" src="{source}">'
        f'<figcaption>{caption}</figcaption></figure>'
    )
