"""Work spread over processes, in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from .devices import one_opencv_thread

Item, Result = TypeVar('Item'), TypeVar('Result')


def num_available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_over_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    num_workers: int,
    chunksize: int = 1,
) -> Iterator[Result]:
    """``map`` in order, over processes if there is more than one worker.

    Workers are forked where the system can: a fresh interpreter would import the whole
    package again. OpenCV's thread pool does not survive a fork, so it is closed before.
    Ctrl-C is left to this process.

    Raises:
        BrokenProcessPool: a worker died.
    """
    if num_workers == 1:
        yield from map(function, items)
        return
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else None
    with one_opencv_thread():
        pool = ProcessPoolExecutor(
            num_workers,
            mp_context=multiprocessing.get_context(method),
            initializer=signal.signal,
            initargs=(signal.SIGINT, signal.SIG_IGN),
        )
        try:
            yield from pool.map(function, items, chunksize=chunksize)
        finally:
            pool.shutdown(cancel_futures=True)
