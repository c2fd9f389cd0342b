"""The script of the GPU figures: its parts and the configs that it names."""

from __future__ import annotations

import re
import subprocess

from config_models import find_configs
from tool_calls import REPO

SCRIPT = REPO / 'tests/speed/on_a_gpu.sh'
DEFAULT_ABLATIONS = re.compile(r'ABLATIONS:-([\w\s\\]+)')


def call(*parts):
    command = ['bash', SCRIPT, *parts]
    return subprocess.run(command, capture_output=True, text=True)


def test_usage_names_every_part():
    result = call()
    defined = re.findall(r'^part_(\w+)\(\)', SCRIPT.read_text(), re.MULTILINE)
    listed = re.findall(r'^  (\w+)  +\S', result.stdout, re.MULTILINE)
    assert result.returncode == 2
    assert listed == defined


def test_unknown_part():
    result = call('everything')
    assert (result.returncode, result.stderr) == (2, 'no part everything\n')


def test_all_ablations_are_run():
    listed = re.findall(r'\w+', DEFAULT_ABLATIONS.search(SCRIPT.read_text())[1])
    assert sorted(f'ablations/{name}' for name in listed) == find_configs('ablations')
