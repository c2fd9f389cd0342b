"""A table among metrics that does not flood the log."""

from __future__ import annotations


class QuietDict(dict):
    """A dict that prints as one short line and copies and pickles as a plain dict.

    MMEngine's logger prints every value that a metric returns; this keeps a table of
    a hundred categories out of the log line while JSON and checkpoints get all of it.
    """

    def __str__(self) -> str:
        return f'<{len(self)} entries>'

    def __reduce__(self) -> tuple:
        return dict, (dict(self),)
