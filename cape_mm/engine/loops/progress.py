"""One line every few seconds: how far, how fast, how long still."""

from __future__ import annotations

import time
from datetime import timedelta
from logging import Logger


class Progress:
    """Counts the pairs of this process and logs them.

    Args:
        logger: where the lines go.
        stage: 'val' or 'test'.
        num_pairs: pairs that this process will see, dropped ones included.
        num_categories: categories of this process.
        interval: seconds between two lines.
    """

    def __init__(
        self,
        logger: Logger,
        stage: str,
        num_pairs: int,
        num_categories: int,
        interval: float = 10.0,
    ) -> None:
        self.logger = logger
        self.stage = stage
        self.num_pairs = num_pairs
        self.num_categories = num_categories
        self.interval = interval
        self.num_done = self.num_measured = 0
        self._categories: dict[int, None] = {}
        self._start = self._last = time.perf_counter()

    def step(self, category_id: int, num_pairs: int, is_stored: bool = False) -> None:
        """Count pairs; those read back from a file say nothing about the speed."""
        self.num_done += num_pairs
        self.num_measured += 0 if is_stored else num_pairs
        self._categories[category_id] = None
        now = time.perf_counter()
        if now - self._last >= self.interval and self.num_done < self.num_pairs:
            self._last = now
            self.logger.info(self._describe(now - self._start))

    def _describe(self, seconds: float) -> str:
        speed = self.num_measured / max(seconds, 1e-9)
        left = (self.num_pairs - self.num_done) / max(speed, 1e-9)
        eta = timedelta(seconds=round(left)) if self.num_measured else 'unknown'
        return (
            f'{self.stage}: {self.num_done:,} of {self.num_pairs:,} pairs, category '
            f'{len(self._categories)} of {self.num_categories}, {speed:,.0f} pairs/s, '
            f'eta {eta}'
        )

    def finish(self, note: str) -> None:
        """Log the end.

        Args:
            note: what else there is to say.
        """
        seconds = time.perf_counter() - self._start
        speed = self.num_measured / max(seconds, 1e-9)
        self.logger.info(
            f'{self.stage}: {self.num_done:,} pairs in {seconds:.1f} s '
            f'({speed:,.0f} pairs/s): {note}'
        )
