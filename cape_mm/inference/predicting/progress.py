"""How far a prediction is, and how long it still takes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from mmengine.utils import ProgressBar

from ...errors import InstanceLoadError
from ..sources import Source
from ..video import VideoReader

T = TypeVar('T')


def count_frames(sources: Sequence[Source], every: int) -> int:
    """Pictures and sampled frames, as far as the videos tell their length."""
    return sum(_count(source, every) for source in sources)


def _count(source: Source, every: int) -> int:
    if not source.is_video:
        return 1
    try:
        with VideoReader(source.content) as reader:
            return -(-reader.num_frames_told // every)
    except InstanceLoadError:
        return 1


class PredictionProgress:
    """A bar with the remaining time on stderr, where there is anything to do.

    Args:
        num_total: pictures and frames that this process will predict, about.
        is_shown: False shows nothing.
    """

    def __init__(self, num_total: int, is_shown: bool) -> None:
        self.num_done = 0
        self.num_total = max(1, num_total)
        # in a log file every step is a line of its own
        parts = 200 if sys.stderr.isatty() else 10
        self._step = max(1, self.num_total // parts)
        self._bar = ProgressBar(self.num_total, file=sys.stderr) if is_shown else None

    def add(self, num: int) -> None:
        """Count pictures."""
        self.num_done = min(self.num_done + num, self.num_total)
        if self._bar is None:
            return
        new = self.num_done - self._bar.completed
        if new >= self._step or (self.num_done == self.num_total and new):
            self._bar.update(new)

    def counted(self, items: Iterable[T]) -> Iterator[T]:
        """The same items, each counted."""
        for item in items:
            yield item
            self.add(1)

    def close(self) -> None:
        """End the line."""
        if self._bar is not None:
            print(file=sys.stderr, flush=True)
