"""A report as Markdown; its curves are files beside it, its photographs left out."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from .blocks import Block, Code, Figure, Folded, Report, Table, Text, printable

FIGURE_FOLDER = 'figures'
SPECIAL = re.compile(r'([\\`*_{}\[\]|~#$])')


def to_markdown(report: Report) -> str:
    """The file's text.

    Args:
        report: any text in it is escaped, whatever it holds; links to its curves lead
            to :data:`FIGURE_FOLDER`.
    """
    cards = Table(('', '', ''), report.cards, is_text=True)
    parts = [f'# {escape(report.title)}', escape(report.subtitle)]
    parts += _blocks([*report.warnings, cards])
    for section in report.sections:
        parts += [f'## {escape(section.title)}', *_blocks(section.blocks)]
    return '\n\n'.join(parts) + '\n'


def escape(text: object) -> str:
    """Text in one line that Markdown, and HTML within it, shows as it is."""
    return SPECIAL.sub(r'\\\1', _as_html(text))


def _as_html(text: object) -> str:
    line = ' '.join(printable(text).split())
    return html.escape(line, quote=False)


def curves_of(blocks: Sequence[Block]) -> list[Figure]:
    """The figures that the Markdown file shows, wherever they stand."""
    found = []
    for block in blocks:
        if isinstance(block, Folded):
            found += curves_of(block.blocks)
        elif isinstance(block, Figure) and block.kind == 'svg':
            found.append(block)
    return found


def _blocks(blocks: Sequence[Block]) -> list[str]:
    return [text for text in map(_block, blocks) if text]


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Text):
        return f'> **{escape(block.text)}**' if block.is_warning else escape(block.text)
    if isinstance(block, Code):
        return _code(block.text)
    if isinstance(block, Figure):
        return _figure(block)
    assert isinstance(block, Folded), type(block)
    content = '\n\n'.join(_blocks(block.blocks))
    if not content:
        return ''
    title = _as_html(block.title)  # Markdown is not read within a tag
    return f'<details>\n<summary>{title}</summary>\n\n{content}\n\n</details>'


def _table(table: Table) -> str:
    rule = ':---' if table.is_text else '---:'
    lines = [
        _line(table.header),
        _line([':---', *[rule] * (len(table.header) - 1)], is_safe=True),
        *(_line(row) for row in table.rows),
    ]
    return '\n'.join(lines)


def _line(cells: Sequence[str], is_safe: bool = False) -> str:
    shown = cells if is_safe else [escape(cell) for cell in cells]
    return f'| {" | ".join(shown)} |'


def _code(text: str) -> str:
    longest = max(map(len, re.findall('`+', text)), default=0)
    fence = '`' * max(3, longest + 1)
    return f'{fence}text\n{printable(text).rstrip()}\n{fence}'


def _figure(figure: Figure) -> str:
    if figure.kind != 'svg':
        return escape(figure.caption)
    caption = escape(figure.caption)
    return f'![{caption}]({FIGURE_FOLDER}/{figure.name}.svg)\n\n{caption}'
