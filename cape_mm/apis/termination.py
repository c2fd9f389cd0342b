"""SIGTERM ends a tool like Ctrl-C: its workers go with it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(BaseException):
    """SIGTERM came; like KeyboardInterrupt, no ``except Exception`` takes it."""


ERRORS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: TerminatedError}


@contextmanager
def signals_as_errors() -> Iterator[None]:
    """Raise an exception where SIGTERM arrives, instead of ending at once.

    A training that ends at once leaves its data loading processes to find out by
    themselves, which takes seconds.

    Convention:
        - the exception leaves the context whatever became of it on its way: libraries
          turn Ctrl-C into errors of theirs (MMEngine, where it formats a config)
        - one of several launched processes ends at once all the same: it may wait for
          another one that is gone, and a handler would wait with it
        - forked children behave as if nothing had been changed, but for one: a lost
          connection to their parent is not printed. A data loader's worker that hands
          over a batch as the training ends would show it, with a traceback

    Raises:
        KeyboardInterrupt: after SIGINT.
        TerminatedError: after SIGTERM.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or 'RANK' in os.environ:
        yield
        return
    process, came = os.getpid(), []

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process and number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        came.append(number)
        raise ERRORS[number]

    def show(kind: type[BaseException], error: BaseException, trace) -> None:
        is_lost = issubclass(kind, (ConnectionError, EOFError))
        if not (is_lost and os.getpid() != process):
            show_before(kind, error, trace)

    before = {number: signal.signal(number, handle) for number in ERRORS}
    show_before, sys.excepthook = sys.excepthook, show
    try:
        yield
    finally:
        sys.excepthook = show_before
        for number, handler in before.items():
            signal.signal(number, handler)
        if came and os.getpid() == process:
            raise ERRORS[came[0]]
