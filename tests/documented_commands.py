"""The commands that the README and the docs tell their readers to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
DOCS = [REPO / 'README.md', *sorted((REPO / 'docs').glob('*.md'))]
PROGRAMS = (
    *('python', 'python3', 'make', 'pytest', 'pip', 'bash', 'sh', 'source'),
    *('sbatch', 'srun', 'torchrun', 'git', 'cd', 'export', 'tools/'),
)
"""How a line begins that is a command although nothing says so."""
BLOCK = re.compile(r'^ *```(\w*)\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
SHELLS = ('bash', 'sh', 'shell', 'console')


@dataclass(frozen=True)
class DocumentedCommand:
    """One command line of a page.

    Attributes:
        page: name of the file.
        words: what a shell makes of the line, without its comment.
    """

    page: str
    words: tuple[str, ...]

    @property
    def line(self) -> str:
        """The command as it can be typed."""
        return shlex.join(self.words)


def find_code(text: str) -> list[str]:
    """Everything in backticks: blocks and words."""
    blocks = [block for _, block in BLOCK.findall(text)]
    return [*blocks, *re.findall(r'`([^`]+)`', BLOCK.sub('', text))]


def find_commands(path: Path) -> Iterator[list[str]]:
    """Words of every ``python tools/x.py ...`` line, continuation lines joined."""
    # a source file has the backslash twice
    text = re.sub(r'\\{1,2}\n\s*', ' ', path.read_text(encoding='utf-8'))
    for line in re.findall(r'python (tools/\w+\.py[^\n`]*)', text):
        yield shlex.split(line, comments=True)


def find_shell_commands(path: Path) -> list[DocumentedCommand]:
    """All commands of a page, in its order: in blocks and within sentences.

    Every line of a shell block is one, elsewhere what begins with one of
    :data:`PROGRAMS` and has an argument; what ``&&`` or ``||`` joins is several.
    """
    text = re.sub(r'\\\n\s*', ' ', path.read_text(encoding='utf-8'))
    pattern = re.compile(f'{BLOCK.pattern}|`([^`]+)`', BLOCK.flags)
    found: list[DocumentedCommand] = []
    for language, block, inline in pattern.findall(text):
        lines = [' '.join(inline.split())] if inline else block.splitlines()
        for line in lines:
            if language in SHELLS or _is_command(line):
                found += [DocumentedCommand(path.name, c) for c in _split(line)]
    return found


def find_scripts(path: Path) -> list[str]:
    """Python blocks of a page that are whole: they begin with their imports."""
    blocks = BLOCK.findall(path.read_text(encoding='utf-8'))
    starts = ('from ', 'import ')
    return [
        b for language, b in blocks if language == 'python' and b.startswith(starts)
    ]


def _is_command(line: str) -> bool:
    first, _, rest = line.strip().partition(' ')
    return bool(rest) and (first in PROGRAMS or first.startswith('tools/'))


def _split(line: str) -> Iterator[tuple[str, ...]]:
    words: list[str] = []
    for word in [*shlex.split(line, comments=True), '&&']:
        if word not in ('&&', '||'):
            words.append(word)
        elif words:
            yield tuple(words)
            words = []
