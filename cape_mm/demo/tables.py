"""What a user typed into the table of points."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError
from .session import DemoSession
from .views import support_rows


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
