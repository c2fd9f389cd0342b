"""The scripts behind docs/results.md, each on a small model for a moment."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys

import pytest
import torch
from config_models import find_configs
from tool_calls import FAST, REPO, TINY

from cape_mm.analysis.random_model import prepare
from cape_mm.apis import parse_cfg_options
from cape_mm.models.heads.decode_order import random_order

SCRIPT = REPO / 'benchmarks/on_a_gpu.sh'
TWO = REPO / 'benchmarks/on_two_gpus.sh'
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


@pytest.mark.parametrize('use_proposals', [True, False])
def test_recomputing_gives_what_the_cache_gives(use_proposals):
    recompute = runpy.run_path(str(REPO / 'benchmarks/key_value_cache.py'))
    options = parse_cfg_options(FAST[1:]) | {'model.head.use_proposals': use_proposals}
    sizes = dict(num_keypoints=5, input_size=64, batch_size=2)
    measured, _ = prepare(TINY, options, device='cpu', sizes=sizes)
    head = measured.model.head
    with torch.inference_mode():
        inputs = measured.model.data_preprocessor(next(measured.batches))['inputs']
        context = measured.model.encode(inputs)
        context.is_known[0, 1] = False  # fewer steps in one row than in the other
        proposal = head.propose(context)
        points = proposal.points if use_proposals else None
        order = random_order(context.is_known, torch.Generator().manual_seed(1))
        cached = head.decode(context, points, order)[1].points
        again = recompute['decode_by_recomputing'](head, context, points, order)
    assert (cached - proposal.points).abs().max() > 1e-3  # the decoder does something
    known = context.is_known
    assert torch.allclose(again[known], cached[known], atol=1e-4)


def test_parts_and_ablations_of_the_gpu_script():
    result = subprocess.run(['bash', SCRIPT], capture_output=True, text=True)
    text = SCRIPT.read_text()
    listed = re.findall(r'^  (\w+)  +\S', result.stdout, re.MULTILINE)
    assert result.returncode == 2
    assert listed == re.findall(r'^part_(\w+)\(\)', text, re.MULTILINE)
    names = re.findall(r'\w+', re.search(r'ABLATIONS:-([\w\s\\]+)', text)[1])
    assert sorted(f'ablations/{name}' for name in names) == find_configs('ablations')


def test_parts_of_the_script_for_two_gpus(tmp_path):
    text = TWO.read_text()
    listed = re.findall(r'^#   (\w+)  +\S', text, re.MULTILINE)
    assert listed == re.findall(r'^part_(\w+)\(\)', text, re.MULTILINE)
    assert f'set -- {" ".join(listed)}\n' in text
    command = ['bash', TWO, 'nothing']
    environment = {**os.environ, 'OUT': str(tmp_path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (2, 'no part nothing\n')


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
