"""Python command lines in processes of their own that need not import PyTorch again.

A server, started once, imports what all tools import and forks for every command; the
child runs the script as ``__main__`` in the folder, with the arguments and the streams
of that command, and ends as a process of its own does.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import command_server

TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it wrote on the two streams."""

    code: int
    out: str
    err: str


class Running:
    """A command under way."""

    def __init__(self, server: PreparedProcesses, pid: int, streams: Path) -> None:
        self._server, self.pid, self._streams = server, pid, streams

    def read(self, stream: str) -> str:
        """What was written so far, on ``'out'`` or ``'err'``."""
        path = self._streams.with_suffix(f'.{stream}')
        return path.read_text(encoding='utf-8', errors='replace')

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        os.kill(self.pid, signal.SIGINT)

    def wait(self, timeout: float = 120.0) -> Finished:
        """Wait for the end; a command that takes too long is killed."""
        is_late = not self._server.has_answer(timeout)
        if is_late:
            os.killpg(self.pid, signal.SIGKILL)
        code = self._server.read_answer()
        note = f'\nkilled after {timeout:.0f} s' if is_late else ''
        return Finished(code, self.read('out'), self.read('err') + note)


class PreparedProcesses:
    """The server, seen from the tests; a context manager.

    Args:
        streams: folder for what the commands write on their streams.
    """

    def __init__(self, streams: Path) -> None:
        self._streams, self._num = streams, 0

    def __enter__(self) -> PreparedProcesses:
        paths = (TESTS / 'documentation', TESTS, TESTS.parent)
        self.environment = dict(
            os.environ,
            PYTHONPATH=os.pathsep.join(map(str, paths)),
            **dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS'), '1'),
        )
        self._process = subprocess.Popen(
            [sys.executable, command_server.__file__],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # a buffer would hide from `select` what has come
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def start(
        self, arguments: Sequence[str], folder: Path, before: str | None = None
    ) -> Running:
        """Start a command.

        Args:
            arguments: a script with its arguments, ``-m`` and a module with its
                arguments, or :data:`command_server.SCRIPT` and code.
            folder: the current folder of the command.
            before: ``module:function`` to call in the new process first.
        """
        self._num += 1
        streams = self._streams / f'{self._num:03d}'
        request = dict(
            arguments=list(arguments),
            folder=str(folder),
            streams=str(streams),
            before=before,
        )
        self._process.stdin.write(json.dumps(request).encode() + b'\n')
        return Running(self, self.read_answer(), streams)

    def run(
        self, arguments: Sequence[str], folder: Path, before: str | None = None
    ) -> Finished:
        """Start a command and wait for its end."""
        return self.start(arguments, folder, before).wait()

    def has_answer(self, timeout: float) -> bool:
        """Whether the server says something within some seconds."""
        return bool(select.select([self._process.stdout], [], [], timeout)[0])

    def read_answer(self) -> int:
        """The next number that the server says."""
        return int(self._process.stdout.readline())
