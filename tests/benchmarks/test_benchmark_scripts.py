"""The scripts behind docs/results.md, each on a small model for a moment."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys

import pytest
from config_models import find_configs
from tool_calls import FAST, REPO, TINY

SCRIPT = REPO / 'benchmarks/on_a_gpu.sh'
FEW = ('--steps', '2', '--num-keypoints', '3')


@pytest.mark.parametrize(
    ('script', 'arguments', 'shown'),
    [
        (
            'decoding_modes',
            (*FEW, '--num-queries', '2'),
            r'ar\+refine .* parallel',
        ),
        ('key_value_cache', (*FEW, '--num-queries', '2'), r'difference \d\.\de-0[6-9]'),
        ('inferencer', (*FEW, '--batch-sizes', '1', '2'), r'parallel .* over backbone'),
        ('loading', ('--rounds', '1', '--num-pictures', '4'), r'plain over ours: \d'),
        ('evaluation', ('--plain-pairs', '6'), r'times less; points differ by \S+e-0'),
    ],
)
def test_script(script, arguments, shown, synthetic_root, monkeypatch, capfd):
    data = f'data_root={synthetic_root}'
    command = [script, str(TINY), *arguments, *FAST, data]
    monkeypatch.setattr(sys, 'argv', command)
    runpy.run_path(str(REPO / f'benchmarks/{script}.py'), run_name='__main__')
    assert re.search(shown, capfd.readouterr().out)


def test_parts_and_ablations_of_the_gpu_script():
    result = subprocess.run(['bash', SCRIPT], capture_output=True, text=True)
    text = SCRIPT.read_text()
    listed = re.findall(r'^  (\w+)  +\S', result.stdout, re.MULTILINE)
    assert result.returncode == 2
    assert listed == re.findall(r'^part_(\w+)\(\)', text, re.MULTILINE)
    names = re.findall(r'\w+', re.search(r'ABLATIONS:-([\w\s\\]+)', text)[1])
    assert sorted(f'ablations/{name}' for name in names) == find_configs('ablations')


def test_gradient_of_two_processes_is_that_of_one(tmp_path):
    folder = REPO / 'tests/distributed'
    paths = os.pathsep.join([str(REPO), str(REPO / 'tests'), str(folder)])
    launch = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    result = subprocess.run(
        [sys.executable, *launch, '--local_addr=127.0.0.1', 'benchmarks/gradients.py']
        + [str(TINY), '--input-size', '64', *FAST[:7]],
        env={**os.environ, 'PYTHONPATH': paths, 'OMP_NUM_THREADS': '1'},
        cwd=REPO,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    apart = float(re.search(r'relative difference (\S+)', result.stdout)[1])
    assert apart < 1e-4
    assert '[0, 0, 0, 1, 0, 0, 0, 1]' in result.stdout
