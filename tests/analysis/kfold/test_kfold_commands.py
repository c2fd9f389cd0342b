"""Folds as printed commands, Slurm scripts and distributed launches."""

from __future__ import annotations

import shlex
import stat
import subprocess

from fold_cases import TOOLS

from cape_mm.analysis.kfold import (
    KFold,
    print_commands,
    run_kfold,
    write_slurm_scripts,
)


def test_printed_commands_are_one_per_fold_and_one_to_collect(kfold, capsys):
    print_commands(kfold, TOOLS)
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert [line[3:5] for line in lines[:3]] == [['--fold', n] for n in '123']
    assert lines[3][3] == '--collect'
    for line in lines:
        assert line[1:3] == ['tools/analysis_tools/kfold.py', str(kfold.config)]
        assert line[-2:] == list(kfold.options)  # filled in by the fold itself


def test_slurm_scripts_are_valid_and_submit_in_order(toy_config, tmp_path):
    options = ('data_root=my data/{split}',)
    kfold = KFold(toy_config, tmp_path / 'w', (1, 2), options, amp=True, gpus=2)
    jobs = tmp_path / 'jobs'
    paths = write_slurm_scripts(kfold, TOOLS, jobs)
    names = ['split1.sh', 'split2.sh', 'collect.sh', 'submit.sh']
    assert [path.name for path in paths] == names
    for path in paths:
        subprocess.run(['bash', '-n', str(path)], check=True)
    text = paths[1].read_text()
    assert '#SBATCH --gpus=2' in text
    assert '--fold 2 --work-dir' in text and "'data_root=my data/{split}'" in text

    bin_dir = tmp_path / 'bin'
    bin_dir.mkdir()
    sbatch = bin_dir / 'sbatch'
    sbatch.write_text('#!/bin/bash\necho "$@" >> "$LOG"\nwc -l < "$LOG"\n')
    sbatch.chmod(sbatch.stat().st_mode | stat.S_IXUSR)
    environment = dict(PATH=f'{bin_dir}:/usr/bin:/bin', LOG=str(tmp_path / 'log'))
    command = ['bash', str(paths[-1]), '--time=9']
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert (tmp_path / 'log').read_text().splitlines() == [
        '--parsable --time=9 split1.sh',
        '--parsable --time=9 split2.sh',
        '--dependency=afterok:1:2 --time=9 collect.sh',
    ]


def test_several_gpus_use_the_launch_scripts(kfold, tools):
    """They exist, and take their arguments in this order."""
    many = KFold(kfold.config, kfold.work_dir, (1,), kfold.options, amp=True, gpus=4)
    run_kfold(many, TOOLS, tools)
    train, test = tools.calls
    config, checkpoint = str(kfold.config), str(kfold.folder(1) / 'epoch_2.pth')
    assert train[:4] == ['bash', 'tools/dist_train.sh', config, '4']
    assert '--amp' in train and '--amp' not in test
    assert test[:5] == ['bash', 'tools/dist_test.sh', config, checkpoint, '4']
