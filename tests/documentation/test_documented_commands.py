"""Every command of the README and the docs is run, in a folder like its reader's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from documented_commands import DOCS, find_scripts, find_shell_commands
from prepared_process import PreparedProcesses
from reader_folder import ReaderFolder

COMMANDS = [command for path in DOCS for command in find_shell_commands(path)]
SCRIPTS = [
    pytest.param(code, id=path.name) for path in DOCS for code in find_scripts(path)
]


@pytest.fixture(scope='module')
def reader(tmp_path_factory) -> Iterator[ReaderFolder]:
    """A folder in which commands run."""
    with PreparedProcesses(tmp_path_factory.mktemp('streams')) as processes:
        root = tmp_path_factory.mktemp('reader').resolve()
        yield ReaderFolder(root, processes, COMMANDS)


@pytest.mark.parametrize('command', COMMANDS, ids=lambda c: f'{c.page}: {c.line}')
def test_command_does_what_its_page_says(command, reader):
    reader.run(command.words)


@pytest.mark.parametrize('code', SCRIPTS)
def test_python_of_a_page_runs(code, reader):
    reader.run_script(code)
