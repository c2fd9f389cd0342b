"""A documented command that is wrong fails, in whatever way it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_results import check_result
from documented_commands import find_shell_commands
from prepared_process import Finished, PreparedProcesses
from reader_folder import ReaderFolder
from small_runs import merge, shrink

CHECK = 'python tools/check_dataset.py data/mp100'
BROWSE = 'python tools/browse_episodes.py configs/cape_mp100.py'
WRONG = {
    f'{CHECK} --decoed': 'unrecognized arguments: --decoed',
    'python tools/check_dataset.py data/mp101': 'data/mp101',
    f'{BROWSE} --split trian --out s': "invalid choice: 'trian'",
    f'{BROWSE} --out s --cfg-options datroot=x': "no top-level key 'datroot'",
    f'{BROWSE} --out s --cfg-options train_dataloader.sampler.num_shot=2': 'num_shot',
    'python tools/predict.py CHECKPOINT --support no.json --queries frames --out f': (
        'no.json'
    ),
    'python tools/browse_episodes.py configs/none.py --out s': 'configs/none.py',
    'python tools/no_tool.py': 'no_tool.py',
    'python -c "import no_module"': "No module named 'no_module'",
    'python -m cape_mm.no_module': 'cape_mm.no_module',
    'make no_target': 'no_target',
    'pytest tests/test_compat.py -k no_such_test': 'exit code 5',
    'tools/no_script.sh CONFIG': 'no_script.sh',
    'conda install cape_mm': 'no way is known to run conda',
}
"""Commands, and what the failure then says."""


@pytest.fixture(scope='module')
def reader(tmp_path_factory) -> Iterator[ReaderFolder]:
    """A folder in which commands run."""
    with PreparedProcesses(tmp_path_factory.mktemp('streams')) as processes:
        root = tmp_path_factory.mktemp('reader').resolve()
        folder = ReaderFolder(root, processes, [])
        (root / 'work_dirs/cape_tiny').mkdir(parents=True)
        (root / 'work_dirs/cape_tiny/epoch_4.pth').touch()
        yield folder


@pytest.mark.parametrize('line', WRONG)
def test_wrong_command_fails(line, reader, tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(f'# Page\n```bash\n{line}   # a comment\n```\n')
    (command,) = find_shell_commands(page)
    with pytest.raises(AssertionError) as caught:
        reader.run(command.words)
    assert WRONG[line] in str(caught.value)


@pytest.mark.parametrize(
    ('result', 'files', 'message'),
    [
        (Finished(0, 'verdict', ''), ['no.json'], r"not written: \['no.json'\]"),
        (Finished(2, 'verdict', ''), [], 'exit code 2'),
        (Finished(-9, 'verdict', ''), [], 'exit code -9'),
        (Finished(0, 'fine', ''), [], 'fine'),
        (Finished(0, 'verdict', 'Traceback (most recent'), [], 'Traceback'),
    ],
)
def test_exit_code_is_not_all(result, files, message, tmp_path):
    with pytest.raises(AssertionError, match=message):
        check_result('check_dataset', result, tmp_path, files)
    check_result('check_dataset', Finished(1, 'verdict', ''), tmp_path, [])


def find(tmp_path: Path, text: str) -> list[tuple[str, ...]]:
    page = tmp_path / 'page.md'
    page.write_text(text)
    return [command.words for command in find_shell_commands(page)]


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('Type `make x` or `make`, see `tools/x.sh`.', [('make', 'x')]),
        ('| a | `python\n  x.py --y` | b |', [('python', 'x.py', '--y')]),
        ('```bash\n# no\nls \\\n  -l  # all\n```', [('ls', '-l')]),
        ('1. a\n\n   ```bash\n   ls\n   ```\n', [('ls',)]),
        ('```\nfolder/\npython x.py\n```', [('python', 'x.py')]),
        ('```python\nimport x\n```', []),
        ('```bash\na "b c" || d && e\n```', [('a', 'b c'), ('d',), ('e',)]),
    ],
)
def test_commands_are_found(text, expected, tmp_path):
    assert find(tmp_path, text) == expected


def test_additions_leave_the_line_alone():
    assert merge(['a=1', 'b=2'], ['b=3', 'c=4']) == ['a=1', 'b=2', 'c=4']
    batch = 'train_dataloader.batch_size'
    assert merge([f'{batch}=64'], [f'{batch}=2']) == [f'{batch}=2']
    words = ['tools/x.py', '--cfg-options', 'a=1', 'b=2', '--amp', '--out', 'o']
    assert shrink(words) == [*('tools/x.py', '--amp', '--out', 'o'), *words[1:4]]
