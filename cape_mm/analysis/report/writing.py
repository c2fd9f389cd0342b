"""The files of a report: a page that stands alone, and Markdown with its curves."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ...errors import ConfigError
from ...utils.atomic_write import try_folder, write_text_atomically
from .blocks import Report
from .html import to_html
from .markdown import FIGURE_FOLDER, curves_of, to_markdown

PAGE_NAME, MARKDOWN_NAME = 'report.html', 'report.md'


def check_folder(folder: str | Path, option: str) -> Path:
    """A folder for a report, made where needed; called before the long work.

    Args:
        folder: the folder.
        option: that named it, for the message.

    Raises:
        ConfigError: no file can be written there.
    """
    try:
        return try_folder(folder)
    except ConfigError as error:
        text = str(error).removeprefix('--out')  # the option of the other tools
        raise ConfigError(f'{option}{text}') from error


def write_report(report: Report, folder: str | Path) -> Path:
    """Write ``report.html``, ``report.md`` and the curves that the latter links to.

    Args:
        report: the content.
        folder: where to; older files of these names are replaced.

    Returns:
        Path of the page.
    """
    folder = Path(folder)
    for section in report.sections:
        for curve in curves_of(section.blocks):
            path = folder / FIGURE_FOLDER / f'{curve.name}.svg'
            write_text_atomically(path, curve.content.decode('utf-8'))
    write_text_atomically(folder / MARKDOWN_NAME, to_markdown(report))
    return write_text_atomically(folder / PAGE_NAME, to_html(report))


def now() -> str:
    """Date and time to the second, with the zone."""
    return datetime.now().astimezone().strftime('%Y-%m-%d %H:%M:%S %z')
