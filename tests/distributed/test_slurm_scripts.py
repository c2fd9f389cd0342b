"""The Slurm scripts ask ``srun`` for the right thing; a stand-in notes what it is."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from tool_calls import REPO

STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "$@" "MASTER_PORT=$MASTER_PORT"
"""
POSITIONAL = {
    'train': ['part', 'job', 'configs/cape_tiny.py'],
    'test': ['part', 'job', 'configs/cape_tiny.py', 'epoch_4.pth'],
}
every_script = pytest.mark.parametrize('script', POSITIONAL)


@pytest.fixture
def srun(tmp_path):
    """Calls a script with variables; returns the arguments that ``srun`` got."""
    path = tmp_path / 'bin/srun'
    path.parent.mkdir()
    path.write_text(STAND_IN)
    path.chmod(0o755)

    def call(script: str, *further: str, **variables: str) -> list[str]:
        environment = {'PATH': f'{path.parent}{os.pathsep}{os.environ["PATH"]}'}
        command = ['bash', f'tools/slurm_{script}.sh', *POSITIONAL[script], *further]
        output = subprocess.check_output(
            command, cwd=REPO, env=environment | variables, text=True
        )
        return output.splitlines()

    return call


@every_script
def test_one_process_per_gpu(srun, script):
    *words, port = srun(script, '--work-dir', 'a b', GPUS='16', PYTHON='py')
    assert words == [
        *('-p', 'part', '--job-name=job', '--gres=gpu:8', '--ntasks=16'),
        *('--ntasks-per-node=8', '--cpus-per-task=8', '--kill-on-bad-exit=1'),
        *('py', '-u', f'tools/{script}.py', *POSITIONAL[script][2:]),
        *('--work-dir', 'a b', '--launcher', 'slurm'),
    ]
    assert 20000 <= int(port.removeprefix('MASTER_PORT=')) < 40000


@every_script
def test_variables(srun, script):
    words = srun(
        script,
        GPUS='2',
        GRES='none',
        CPUS_PER_TASK='4',
        MASTER_PORT='1234',
        SRUN_ARGS='--exclusive --time=60',
    )
    assert '--ntasks-per-node=2' in words  # no more than there are processes
    assert '--cpus-per-task=4' in words
    assert words[words.index('--exclusive') + 1] == '--time=60'
    assert words[-1] == 'MASTER_PORT=1234'
    assert not any(word.startswith('--gres') or not word for word in words)


def test_every_variable_is_documented():
    text = (REPO / 'tools/slurm_run.sh').read_text()
    comment, code = text.split('set -euo pipefail')
    variables = set(re.findall(r'\$\{([A-Z_]+):-', code))
    assert len(variables) == 7
    assert variables == set(re.findall(r'^#   ([A-Z_]+) ', comment, re.MULTILINE))


@every_script
def test_too_few_arguments(script):
    result = subprocess.run(
        ['bash', f'tools/slurm_{script}.sh', 'part'],
        cwd=REPO,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.startswith(
        f'usage: tools/slurm_{script}.sh PARTITION JOB_NAME'
    )
