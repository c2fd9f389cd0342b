"""What a report consists of, before it becomes HTML or Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

UNPRINTABLE = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]')


def printable(text: object) -> str:
    """Text without characters that a UTF-8 page may not hold.

    Names come from annotation files and file systems, where any of them can occur.
    """
    return UNPRINTABLE.sub('\N{REPLACEMENT CHARACTER}', str(text))


@dataclass(frozen=True)
class Bar:
    """A value drawn as a bar, and what it is compared with as a mark on it.

    Attributes:
        value: in [0, 1]; None where there is none.
        mark: in [0, 1]; None draws no mark.
    """

    value: float | None
    mark: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows of text; all columns but the first are numbers, aligned to the right.

    Attributes:
        header: one title per column.
        rows: as many cells each.
        bars: drawn beside the rows where a page can draw, one per row; or none.
        bar_title: header of their column.
        is_text: all columns are text, aligned to the left.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[Bar] = ()
    bar_title: str = ''
    is_text: bool = False


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
        text: its words.
        is_warning: the reader must not miss it.
    """

    text: str
    is_warning: bool = False


@dataclass(frozen=True)
class Code:
    """Text to show as it is, such as a config."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        name: of its file, without a suffix.
        content: the file's bytes.
        kind: ``'svg'`` or ``'jpg'``.
        caption: what it shows.
    """

    name: str
    content: bytes
    kind: str
    caption: str


@dataclass(frozen=True)
class Folded:
    """Blocks behind a title that the reader opens."""

    title: str
    blocks: Sequence[Block]


Block = Table | Text | Code | Figure | Folded


@dataclass(frozen=True)
class Section:
    """A chapter of the report.

    Attributes:
        name: of the link that leads to it, letters only.
        title: its heading.
        blocks: what it holds.
    """

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: its heading.
        subtitle: one line below it.
        cards: the key figures: name, value, explanation.
        warnings: what a reader must know before any number.
        sections: the chapters.
    """

    title: str
    subtitle: str
    cards: Sequence[tuple[str, str, str]]
    warnings: Sequence[Text]
    sections: Sequence[Section]
