"""The folder of someone who types what the README and the docs say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from command_results import (
    check_result,
    expected_files,
    lacks_extra,
    remove_earlier,
)
from command_server import SCRIPT
from documented_commands import REPO, DocumentedCommand
from prepared_process import Finished, PreparedProcesses
from reader_data import write_reader_data
from reader_needs import MADE_BY, fill_in, needed
from small_runs import find_patch, shrink

LINKED = (
    *('cape_mm', 'configs', 'docs', 'requirements', 'tests', 'tools'),
    *('Makefile', 'pytest.ini', 'setup.py', 'README.md'),
)
NOT_EXECUTED = {
    'pip': 'it changes the environment; `make install`, with which every test run of '
    'continuous integration begins, installs the same packages in the same way',
    '.': 'it enters the environment that the tests run in already',
}
"""Programs whose lines are not executed, and why.

Beside these, ``make`` only says what it would do, but the ``python tools/...`` lines of
it are executed; and pytest only collects: the tests that it names are in this suite.
"""


class ReaderFolder:
    """Runs commands in a folder that has everything that they assume.

    What a command needs and another one makes is made by that first.

    Args:
        root: an empty folder.
        processes: starts Python.
        commands: all documented ones; one that trains into a folder makes what others
            take from there.
    """

    def __init__(
        self,
        root: Path,
        processes: PreparedProcesses,
        commands: Sequence[DocumentedCommand],
    ) -> None:
        self.root, self._processes = root, processes
        self._trainings = {
            f'{folder}/': command.words
            for command in commands
            for option, folder in zip(command.words, command.words[1:])
            if option == '--work-dir' and command.words[1] == 'tools/train.py'
        }
        self._done: set[tuple[str, ...]] = set()
        for name in LINKED:
            (root / name).symlink_to(REPO / name)
        write_reader_data(root)

    def run(self, words: Sequence[str]) -> None:
        """Run a command and check what came of it; once, however often it is there."""
        words = tuple(fill_in(words))
        if words in self._done:
            return
        self._make_needed(words)
        program = words[0]
        if program == 'make':
            self._run_make(words)
        elif program == 'pytest':
            self._collect(words)
        elif program == 'python':
            self._run_python(words[1:])
        elif program.endswith('.sh'):
            self._run_shell(words)
        else:
            assert program in NOT_EXECUTED, f'no way is known to run {program}'
        self._done.add(words)

    def run_script(self, code: str) -> None:
        """Run Python code of a page."""
        self._make_needed(re.findall(r"'([^']+)'", code))
        check_result('', self._processes.run([SCRIPT, code], self.root), self.root, [])

    def _make_needed(self, words: Sequence[str]) -> None:
        for name in needed(words):
            for made, lines in MADE_BY.items():
                is_it = name == made or name.startswith(f'{made}/')
                if is_it and not (self.root / made).exists():
                    for line in lines:
                        self.run(shlex.split(line))
            folder = f'{Path(name).parent}/'
            is_weights = name.endswith('.pth') and not (self.root / name).exists()
            if is_weights and folder in self._trainings:
                self.run(self._trainings[folder])

    def _run_python(self, words: Sequence[str]) -> None:
        first, *rest = words
        if first == '-c':
            name, arguments = '', [SCRIPT, *rest]
        elif first == '-m':
            name, arguments = rest[0], list(words)
        else:
            name, arguments = Path(first).stem, shrink(words)
        files = expected_files(name, arguments)
        remove_earlier(self.root, files)
        if name == 'demo' and not lacks_extra(name):
            result = self._visit(arguments)
        else:
            patch = find_patch(arguments)
            result = self._processes.run(arguments, self.root, patch)
        check_result(name, result, self.root, files)

    def _visit(self, arguments: Sequence[str]) -> Finished:
        """Open the web page, read it and close it; a close by Ctrl-C is no failure."""
        running = self._processes.start(arguments, self.root)
        address = None
        for _ in range(600):
            address = re.search(r'The page is at (\S+)', running.read('out'))
            if address or self._processes.has_answer(0.1):
                break
        if address:
            try:
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(address[1], timeout=30) as answer:
                    assert b'gradio' in answer.read()
            finally:
                running.interrupt()
        result = running.wait()
        assert address and result.code == 130, result
        return Finished(0, result.out, result.err)

    def _run_shell(self, words: Sequence[str]) -> None:
        words = shrink(words)
        name = 'train' if 'train' in words[0] else 'test'
        files = expected_files(name, words)
        remove_earlier(self.root, files)
        check_result(name, self._start(['bash', *words]), self.root, files)

    def _run_make(self, words: Sequence[str]) -> None:
        """A dry run; the tools that it would start are started."""
        result = self._start(['make', '-n', *words[1:], 'PY=python'])
        assert result.code == 0, result
        for line in result.out.replace('\\\n', ' ').splitlines():
            if line.startswith('python tools/'):
                self.run([self._substitute(word) for word in shlex.split(line)])

    def _substitute(self, word: str) -> str:
        """``$(cat FILE)`` as a shell has it, relative to this folder."""
        found = re.fullmatch(r'\$\(cat (\S+)\)', word)
        if found is None:
            return word
        path = Path((self.root / found[1]).read_text(encoding='utf-8').strip())
        return str(path.relative_to(self.root) if path.is_absolute() else path)

    def _collect(self, words: Sequence[str]) -> None:
        arguments = ['-m', *words, '--collect-only', '-q', '-p', 'no:cacheprovider']
        result = self._processes.run(arguments, self.root)
        assert result.code == 0, f'exit code {result.code}: {result.out[-2000:]}'

    def _start(self, words: Sequence[str]) -> Finished:
        environment = dict(self._processes.environment, PYTHON=sys.executable)
        done = subprocess.run(
            words, cwd=self.root, env=environment, capture_output=True, text=True
        )
        return Finished(done.returncode, done.stdout, done.stderr)
