"""What a command-line tool does with an error."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

import cv2
import torch.distributed as torch_dist

from ..errors import CapeError
from .shortages import explain_shortage
from .termination import TerminatedError, signals_as_errors

EXIT_USER_ERROR = 2
EXIT_SHORTAGE = 3
"""Memory or disk ran out."""
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
EXIT_TERMINATED = 143
"""128 + SIGTERM."""


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

    Only :class:`~cape_mm.errors.CapeError`, and memory or disk that run out, become a
    message; any other error is a defect and keeps its traceback.

    Args:
        main: the tool's work.
        interrupt_hint: what to say after Ctrl-C and SIGTERM.

    Returns:
        The exit code: 0, 2 after an error of the user's, 3 where memory or disk ran
        out, 130 after Ctrl-C, 143 after SIGTERM.
    """
    try:
        with signals_as_errors():
            main()
    except CapeError as error:
        _print_error(condense_worker_error(error))
        return EXIT_USER_ERROR
    except (MemoryError, OSError, RuntimeError, cv2.error) as error:
        shortage = explain_shortage(error)
        if shortage is None:
            raise
        _print_error(shortage)
        return EXIT_SHORTAGE
    except KeyboardInterrupt:
        print(f'\ninterrupted. {interrupt_hint}', file=sys.stderr)
        return EXIT_INTERRUPTED
    except TerminatedError:
        print(f'\nterminated. {interrupt_hint}', file=sys.stderr)
        return EXIT_TERMINATED
    if torch_dist.is_available() and torch_dist.is_initialized():
        from .launching import leave_processes

        leave_processes()
    return 0


def _print_error(message: str) -> None:
    rank = os.environ.get('RANK')
    where = f' (rank {rank})' if rank is not None else ''
    print(f'error{where}: {message}', file=sys.stderr)
