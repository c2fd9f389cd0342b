"""What a command-line tool does with an error."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import cv2
import torch.distributed as torch_dist

from ..errors import CapeError
from .launching import leave_processes
from .out_of_resources import explain_out_of_resources

EXIT_USER_ERROR = 2
EXIT_OUT_OF_RESOURCES = 3
"""Memory or disk ran out."""
EXIT_SIGNAL = 128
"""Plus the number of the signal that ended the tool, as shells have it."""
NO_ACCESS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
}
"""A path that the user named wrongly, or may not use."""


def condense_worker_error(error: CapeError) -> str:
    """Message of an error, without the traceback that a DataLoader worker adds.

    PyTorch re-raises the error of a worker process as the same type, with the worker's
    whole traceback as its message. What follows the last ``<class>: `` is the original
    message, which may have several lines.
    """
    text = str(error)
    if not (text.startswith('Caught ') and 'Original Traceback' in text):
        return text
    pattern = rf'^(?:[\w.]+\.)?{type(error).__name__}: '
    starts = list(re.finditer(pattern, text, re.MULTILINE))
    last = text[starts[-1].end() :] if starts else text.strip().splitlines()[-1]
    return last.strip()


def run_cli(
    main: Callable[[], object], interrupt_hint: str = 'Nothing was changed.'
) -> int:
    """Run a tool and turn what its user caused into one message.

    Only :class:`~cape_mm.errors.CapeError`, a path that may not be used, and memory or
    disk that run out become a message; any other error is a defect and keeps its
    traceback. What the terminal can't show is written as an escape.

    Args:
        main: the tool's work.
        interrupt_hint: what to say after a signal.

    Returns:
        The exit code: 0, 2 after an error of the user's, 3 where memory or disk ran
        out, 128 + its number after SIGINT, SIGTERM and SIGHUP, and after SIGPIPE where
        nobody reads the output any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
    try:
        with signals_as_errors():
            main()
            sys.stdout.flush()
    except CapeError as error:
        _print_error(condense_worker_error(error))
        return EXIT_USER_ERROR
    except BrokenPipeError:
        # Python would try once more, as it ends, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SIGNAL + signal.SIGPIPE
    except (MemoryError, OSError, RuntimeError, cv2.error) as error:
        reason = explain_out_of_resources(error)
        if reason is not None:
            _print_error(reason)
            return EXIT_OUT_OF_RESOURCES
        if getattr(error, 'errno', None) in NO_ACCESS and error.filename:
            # of a file that is renamed into its place, the place is what counts
            _print_error(f'{error.filename2 or error.filename}: {error.strerror}')
            return EXIT_USER_ERROR
        raise
    except (KeyboardInterrupt, TerminatedError) as error:
        number = getattr(error, 'number', signal.SIGINT)
        word = 'interrupted' if number == signal.SIGINT else 'terminated'
        print(f'\n{word}. {interrupt_hint}', file=sys.stderr)
        return EXIT_SIGNAL + number
    if torch_dist.is_available() and torch_dist.is_initialized():
        leave_processes()
    return 0


def _print_error(message: str) -> None:
    rank = os.environ.get('RANK')
    where = f' (rank {rank})' if rank is not None else ''
    print(f'error{where}: {message}', file=sys.stderr)


class TerminatedError(BaseException):
    """SIGTERM or SIGHUP came; like KeyboardInterrupt, no ``except Exception`` takes it.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGTERM) -> None:
        self.number = number


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_as_errors() -> Iterator[None]:
    """Raise an exception where SIGTERM or SIGHUP arrives, instead of ending at once.

    A training that ends at once leaves its data loading processes to find out by
    themselves, which takes seconds; a page would leave its uploads.

    Convention:
        - the exception leaves the context whatever became of it on its way: libraries
          turn Ctrl-C into errors of theirs (MMEngine, where it formats a config)
        - what is ignored stays ignored, as ``nohup`` wants it
        - one of several launched processes ends at once all the same: it may wait for
          another one that is gone, and a handler would wait with it
        - workers that the same signal ends are no errors
        - forked children behave as if nothing had been changed, but for one: a lost
          connection to their parent is not printed. A data loader's worker that hands
          over a batch as the training ends would show it, with a traceback

    Raises:
        KeyboardInterrupt: after SIGINT.
        TerminatedError: after SIGTERM and SIGHUP.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or 'RANK' in os.environ:
        yield
        return
    process, came = os.getpid(), []

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process and number != signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where PyTorch raises
        is_stop = number == signal.SIGINT
        came.append(KeyboardInterrupt() if is_stop else TerminatedError(number))
        raise came[-1]

    def show(kind: type[BaseException], error: BaseException, trace) -> None:
        is_lost = issubclass(kind, (ConnectionError, EOFError))
        if not (is_lost and os.getpid() != process):
            show_before(kind, error, trace)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [n for n, handler in before.items() if handler != signal.SIG_IGN]
    for number in ours:
        signal.signal(number, handle)
    show_before, sys.excepthook = sys.excepthook, show
    try:
        yield
    finally:
        sys.excepthook = show_before
        for number in ours:
            signal.signal(number, before[number])
        if came and os.getpid() == process:
            raise came[0]
