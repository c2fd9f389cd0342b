"""What the README and the docs name exists, and their commands parse."""

from __future__ import annotations

import importlib
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from mmpose import registry as mmpose_registry
from tool_calls import FAST, REPO, TINY, TOOLS, ToolCaller

import cape_mm
import cape_mm.inference
from cape_mm.apis import load_config, parse_cfg_options

DOCS = [REPO / 'README.md', *sorted((REPO / 'docs').glob('*.md'))]
CARDS = sorted((REPO / 'configs').glob('*.py'))
BLOCK = re.compile(r'^ *```(\w*)\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
FOLDERS = ('benchmarks', 'cape_mm', 'configs', 'docs', 'requirements', 'tests', 'tools')
REGISTRIES = [
    getattr(mmpose_registry, name)
    for name in (
        'DATASETS',
        'DATA_SAMPLERS',
        'HOOKS',
        'LOOPS',
        'METRICS',
        'MODELS',
        'TRANSFORMS',
        'VISUALIZERS',
    )
]
HOMES = (cape_mm.structures, cape_mm.models.heads, cape_mm.engine, cape_mm.inference)

every_doc = pytest.mark.parametrize('doc', DOCS, ids=lambda path: path.name)


def find_code(text: str) -> list[str]:
    """Everything in backticks: blocks and words."""
    blocks = [block for _, block in BLOCK.findall(text)]
    return [*blocks, *re.findall(r'`([^`]+)`', BLOCK.sub('', text))]


def find_commands(path: Path) -> Iterator[list[str]]:
    """Words of every ``python tools/...`` line, continuation lines joined."""
    # a source file has the backslash twice
    text = re.sub(r'\\{1,2}\n\s*', ' ', path.read_text(encoding='utf-8'))
    for line in re.findall(r'python (tools/[\w/]+\.py[^\n`]*)', text):
        yield shlex.split(line, comments=True)


def parse(tool: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch):
    """What a tool's own parser makes of the arguments."""
    monkeypatch.setattr(sys, 'argv', [tool, *arguments])
    return runpy.run_path(str(REPO / tool))['parse_args']()


def make_targets() -> set[str]:
    makefile = (REPO / 'Makefile').read_text()
    return set(re.search(r'^\.PHONY: (.*)$', makefile, re.MULTILINE)[1].split())


@cache
def option_names() -> set[str]:
    """Options of all tools, as their help lists them."""
    calls = [[sys.executable, str(path), '--help'] for path in TOOLS.values()]
    runs = [subprocess.run(call, capture_output=True, check=True) for call in calls]
    return {o for r in runs for o in re.findall(r'--[a-z][\w-]*', r.stdout.decode())}


def resolve(name: str) -> ModuleType | object:
    """The module or the attribute that a dotted name means."""
    parts = name.split('.')
    thing, path = importlib.import_module(parts[0]), parts[0]
    for part in parts[1:]:
        path = f'{path}.{part}'
        if hasattr(thing, part):
            thing = getattr(thing, part)
        else:
            thing = importlib.import_module(path)
    return thing


@every_doc
def test_relative_links_resolve(doc):
    targets = re.findall(r'\]\(([^)#\s]+)', doc.read_text(encoding='utf-8'))
    local = [target for target in targets if '://' not in target]
    assert not [target for target in local if not (doc.parent / target).exists()]


@every_doc
def test_files_exist(doc):
    pattern = rf'(?<![\w/.])((?:{"|".join(FOLDERS)})/[\w./-]*\w)'
    names = set(re.findall(pattern, doc.read_text(encoding='utf-8')))
    assert not [name for name in names if not (REPO / name).exists()]


@every_doc
def test_make_targets_and_variables_exist(doc):
    text = '\n'.join(find_code(doc.read_text(encoding='utf-8')))
    text = text.replace('\\\n', ' ')
    used = set(re.findall(r'\bmake ([a-z][\w-]*)', text))
    assert used <= make_targets()
    calls = re.findall(r'\bmake [a-z][^\n]*', text)
    variables = {name for call in calls for name in re.findall(r'\b([A-Z]+)=', call)}
    defined = re.findall(r'^([A-Z_]+)\s*\?=', (REPO / 'Makefile').read_text(), re.M)
    assert variables <= set(defined)


@every_doc
def test_options_exist(doc):
    code = find_code(doc.read_text(encoding='utf-8'))
    others = ('pip ', 'python tests/', 'python benchmarks/', 'cvat-cli ')
    joined = [text.replace('\\\n', ' ') for text in code]
    lines = [line for text in joined for line in text.splitlines()]
    lines = [line for line in lines if not any(other in line for other in others)]
    used = {o for line in lines for o in re.findall(r'(?<![\w-])(--[a-z][\w-]*)', line)}
    assert used <= option_names()


@every_doc
def test_python_names_exist(doc):
    code = ' '.join(find_code(doc.read_text(encoding='utf-8')))
    for name in set(re.findall(r'\bcape_mm(?:\.\w+)+', code)):
        assert resolve(name) is not None


@every_doc
def test_classes_exist(doc):
    text = re.sub(r'```.*?```', '', doc.read_text(encoding='utf-8'), flags=re.DOTALL)
    for name in set(re.findall(r'`([A-Z]\w*[a-z]\w*[A-Z]\w*)(?:\(\))?`', text)):
        is_registered = any(registry.get(name) for registry in REGISTRIES)
        assert is_registered or any(hasattr(home, name) for home in HOMES), name


@pytest.mark.parametrize(
    'path', [*DOCS, *CARDS, *TOOLS.values()], ids=lambda path: path.name
)
def test_commands_parse(path, monkeypatch):
    """The tools' own parsers take every line, and the options fit the config."""
    commands = list(find_commands(path))
    for tool, *arguments in commands:
        parsed = parse(tool, arguments, monkeypatch)
        if getattr(parsed, 'config', None) not in (None, 'CONFIG'):
            options = parse_cfg_options(parsed.cfg_options)
            load_config(REPO / parsed.config, options)
    no_tool = (
        *('conventions.md', 'cvat.md', 'design.md', 'extending.md', 'install.md'),
        'reliability.md',
    )
    assert commands or path.name in no_tool


@every_doc
def test_nothing_is_left_to_fill_in(doc):
    assert not re.findall(r'@@\w*|TODO|FIXME|XXX', doc.read_text(encoding='utf-8'))


def test_no_path_of_one_machine_anywhere():
    """Nobody else has the folders of the machine that a file was written on."""
    paths = [p for folder in FOLDERS for p in (REPO / folder).rglob('*') if p.is_file()]
    paths += [p for p in REPO.iterdir() if p.is_file() and p.name != '.git']
    paths.append(REPO / '.ci/run')
    texts = {p: p.read_bytes().decode(errors='replace') for p in paths}
    pattern = re.compile(r'(?<![\w.>-])/(?:work|root|home)\b(?![-_])')
    sources = (p for p in texts if p.suffix not in ('.pyc', '.png'))
    assert not [str(p.relative_to(REPO)) for p in sources if pattern.search(texts[p])]


def test_a_head_of_ones_own_trains_as_documented(
    synthetic_root, tmp_path, monkeypatch, capfd
):
    text = (REPO / 'docs/extending.md').read_text()
    for _, code in BLOCK.findall(text):
        name = re.match(r'# (my_\w+\.py)\n', code)
        if name:
            code = code.replace('./configs/cape_synthetic.py', str(TINY))
            (tmp_path / name[1]).write_text(code)
    config, data = tmp_path / 'my_config.py', f'data_root={synthetic_root}'
    call = ToolCaller(monkeypatch, capfd)
    arguments = ('train', config, '--work-dir', tmp_path / 'w', *FAST, data)
    outcome = call(*arguments)
    assert outcome.code == 2 and 'my_head' in outcome.message
    monkeypatch.syspath_prepend(tmp_path)
    outcome = call(*arguments)
    assert outcome.code == 0, outcome.err
    assert 'loss_l1' in outcome.out
