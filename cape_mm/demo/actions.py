"""What the events of the page do to a session.

Every action takes the session and the event's value, and returns messages for the user
or None. The page's components are not known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import ConfigError
from .clicks import drag_query, drag_support
from .marking import MODES
from .session import DemoSession
from .views import support_rows

Upload = tuple[str, Path]
"""Name on the user's computer, and the uploaded copy."""


def add_support(session: DemoSession, files: Sequence[Upload]) -> None:
    """Take an uploaded file as a support picture."""
    for name, path in files[:1]:
        session.add_support(name, path.read_bytes())


def add_queries(session: DemoSession, files: Sequence[Upload]) -> list[str]:
    """Take uploaded files as queries; they are read one after the other."""

    def read() -> Iterator[tuple[str, bytes]]:
        for name, path in files:
            yield name, path.read_bytes()

    return session.add_queries(read())


def set_mode(session: DemoSession, mode: str) -> None:
    """Choose what a click on the support picture does."""
    if mode in MODES:
        session.mode = mode
        session.selected = None


def set_names(session: DemoSession, text: str) -> None:
    """Take names that are separated by commas, semicolons or new lines."""
    names = [name.strip() for name in re.split(r'[,;\n]', text)]
    session.set_names([name for name in names if name])


def delete_point(session: DemoSession, _: object = None) -> None:
    """Delete the selected point, or the last one."""
    count = len(session.labels.names)
    index = count - 1 if session.selected is None else session.selected
    if index < 0:
        raise ConfigError('there is no point to delete')
    session.delete_point(index)


def select_row(session: DemoSession, cell: Sequence[int]) -> None:
    """Select the point whose row was clicked."""
    row = int(cell[0])
    if row < len(session.labels.names):
        session.selected = row


def select_query_row(session: DemoSession, cell: Sequence[int]) -> None:
    """Select the point of the shown query whose row was clicked."""
    row = int(cell[0])
    if row < len(session.labels.names):
        session.query_selected = row


def drag_on_support(session: DemoSession, text: str) -> None:
    """Move a point of the support picture."""
    drag_support(session, *read_drag(text))


def drag_on_query(session: DemoSession, text: str) -> None:
    """Move a predicted point."""
    drag_query(session, *read_drag(text))


def read_drag(text: str) -> tuple[list[float], list[float]]:
    """Start and end of a drag as the page's script writes them.

    Raises:
        ConfigError: it is something else.
    """
    try:
        start, end = json.loads(text)[:2]
        return [float(v) for v in start][:2], [float(v) for v in end][:2]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError('this drag could not be read: try again') from error


def say_absent(session: DemoSession, _: object = None) -> None:
    """Say that the query does not show the selected point."""
    if session.query_selected is None:
        raise ConfigError('click the point, or its row in the table, first')
    session.correct_point(session.query_selected, None)


def use_as_support(session: DemoSession, _: object = None) -> list[str]:
    """Take the shown prediction as a further support picture."""
    session.use_as_support()
    return ['Added to the support pictures. Press Predict to use it.']


def apply_rows(session: DemoSession, rows: Sequence[Sequence[object]]) -> None:
    """Rename, move, unmark or announce keypoints as the cells of the table say.

    Args:
        session: of the user.
        rows: number, name, x, y of every keypoint, see
            :func:`~.views.support_rows`; empty x and y: not on this picture. A row more
            names a keypoint that is yet to be marked.

    Raises:
        ConfigError: a row is missing, or a cell holds no usable value; what the rows
            above it say is done.
    """
    shown = support_rows(session)
    if len(rows) < len(shown):
        raise ConfigError('press "Delete point" to remove a point')
    for index, (before, after) in enumerate(zip(shown, rows)):
        name, x, y = (_text(cell) for cell in after[1:4])
        if name != before[1]:
            session.rename_point(index, name)
        if [x, y] != before[2:4]:
            _place(session, index, x, y)
    more = [name for row in rows[len(shown) :] if (name := _text(row[1]))]
    if more:
        session.set_names([*session.labels.names, *more])


def _place(session: DemoSession, index: int, x: str, y: str) -> None:
    if not x and not y:
        session.unmark_point(index)
    elif x and y:
        session.move_point(index, [x, y])  # the other half may be typed next


def _text(cell: object) -> str:
    return '' if cell is None else str(cell).strip()
