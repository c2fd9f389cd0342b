"""Command lines of the folds, for a shell or for Slurm."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from ...utils.atomic_write import write_text_atomically
from .folds import KFold
from .state import expect_writable

SLURM_SCRIPT = """#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --output={log}
#SBATCH --nodes=1
#SBATCH --ntasks=1
{gpus}#SBATCH --requeue
set -euo pipefail
cd {cwd}
exec {command}
"""
SUBMIT_SCRIPT = """#!/bin/bash
# Arguments are handed to every sbatch, e.g. --partition=gpu --time=24:00:00
set -euo pipefail
cd "$(dirname "$0")"
jobs=()
for script in {scripts}; do
    jobs+=("$(sbatch --parsable "$@" "$script")")
done
sbatch --dependency="afterok:$(IFS=:; echo "${{jobs[*]}}")" "$@" collect.sh
"""


def train_command(kfold: KFold, split: int, tools: Path) -> list[str]:
    """Train a fold, or go on from its last checkpoint."""
    extra = ['--resume', *(['--amp'] if kfold.amp else [])]
    return [
        *_launch(kfold, tools, 'train'),
        *('--work-dir', str(kfold.folder(split)), *extra),
        *('--cfg-options', *kfold.options_of(split)),
    ]


def test_command(kfold: KFold, split: int, tools: Path, checkpoint: Path) -> list[str]:
    """Test a fold's checkpoint."""
    folder = kfold.folder(split)
    return [
        *_launch(kfold, tools, 'test', str(checkpoint)),
        *('--work-dir', str(folder), '--out', str(folder / 'metrics.json')),
        *('--cfg-options', *kfold.options_of(split)),
    ]


def _launch(kfold: KFold, tools: Path, tool: str, *arguments: str) -> list[str]:
    config = str(kfold.config)
    if kfold.gpus == 1:
        return [sys.executable, str(tools / f'{tool}.py'), config, *arguments]
    script = str(tools / f'dist_{tool}.sh')
    return ['bash', script, config, *arguments, str(kfold.gpus)]


def kfold_command(kfold: KFold, tools: Path, *what: str) -> str:
    """Command line of ``kfold.py`` for one fold, or to collect the results.

    Args:
        kfold: the folds.
        tools: folder of the tools.
        what: e.g. ``'--fold', '2'`` or ``'--collect'``.
    """
    parts = [sys.executable, str(tools / 'analysis_tools/kfold.py'), str(kfold.config)]
    parts += [*what, '--work-dir', str(kfold.work_dir)]
    parts += ['--splits', *map(str, kfold.splits)]
    parts += ['--amp'] if kfold.amp else []
    parts += ['--gpus', str(kfold.gpus)] if kfold.gpus > 1 else []
    parts += ['--cfg-options', *kfold.options] if kfold.options else []
    return shlex.join(parts)


def print_commands(kfold: KFold, tools: Path) -> list[str]:
    """Print one command per fold, and the one that collects their results.

    The folds are independent of each other; each command may be repeated and goes on
    where it stopped.
    """
    for split in kfold.splits:
        kfold.config_of(split)  # what can't work shows now
    lines = [kfold_command(kfold, tools, '--fold', str(s)) for s in kfold.splits]
    lines.append(kfold_command(kfold, tools, '--collect'))
    print('\n'.join(lines))
    return lines


def write_slurm_scripts(kfold: KFold, tools: Path, out_dir: Path) -> list[Path]:
    """Write a Slurm job script per fold, one that collects, one that submits all.

    Args:
        kfold: the folds.
        tools: folder of the tools.
        out_dir: where the scripts and the jobs' logs go; made where needed.

    Returns:
        The scripts; the last one is to be run by hand.

    Raises:
        ConfigError: a fold's config can't be read, or a script can't be written.
    """
    out_dir, name = Path(out_dir).resolve(), Path(kfold.config).stem
    scripts: dict[str, str] = {}
    for split in kfold.splits:
        kfold.config_of(split)
        command = kfold_command(kfold, tools, '--fold', str(split))
        gpus = f'#SBATCH --gpus={kfold.gpus}\n'
        job = f'{name}-split{split}'
        scripts[f'split{split}.sh'] = _fill_script(job, out_dir, command, gpus)
    submit = SUBMIT_SCRIPT.format(scripts=' '.join(scripts))
    command = kfold_command(kfold, tools, '--collect')
    scripts['collect.sh'] = _fill_script(f'{name}-collect', out_dir, command)
    scripts['submit.sh'] = submit
    with expect_writable(out_dir):
        paths = [write_text_atomically(out_dir / k, v) for k, v in scripts.items()]
    print(f'wrote {len(paths)} scripts; start all: bash {shlex.quote(str(paths[-1]))}')
    return paths


def _fill_script(name: str, out_dir: Path, command: str, gpus: str = '') -> str:
    return SLURM_SCRIPT.format(
        name=name,
        log=out_dir / f'{name}-%j.log',
        gpus=gpus,
        cwd=shlex.quote(str(Path.cwd())),
        command=command,
    )
