"""Keep what is long and says nothing out of a training's log."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.logging import MMLogger


def is_no_parameter_line(record: logging.LogRecord) -> bool:
    """MMEngine logs three lines per parameter with a learning rate of its own."""
    return not str(record.msg).startswith('paramwise_options -- ')


@contextmanager
def filtered_log(logger: MMLogger) -> Iterator[None]:
    """Silence what looks like a mistake and is none while a training runs.

    - Nearly 500 lines name the learning rate of every single parameter; the banner says
      the same in one line.
    - A scheduler that counts micro-batches steps before the first update of an
      accumulation window, as it should; the warning fears a mistake.
    - Pinned memory is asked for in the configs; without a GPU there is none to pin.

    Args:
        logger: the runner's.
    """
    logger.addFilter(is_no_parameter_line)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Detected call of `scheduler.step')
            warnings.filterwarnings('ignore', "'pin_memory' argument is set as true")
            yield
    finally:
        logger.removeFilter(is_no_parameter_line)
