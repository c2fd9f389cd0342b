"""The tools from end to end: make data, train, interrupt, resume, test."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch
from tool_calls import FAST, REPO, TINY, TOOLS, Outcome, ToolCaller

from cape_mm.datasets.synthetic import spec

METRIC_KEYS = {
    *('PCK@0.05', 'PCK@0.1', 'PCK@0.15', 'PCK@0.2', 'PCK@0.25', 'PCK_valid@0.2'),
    *('mPCK5', 'mPCK4', 'AUC', 'NME', 'EPE', 'copy_support/PCK@0.2'),
    *('num_pairs', 'num_pairs_dropped', 'per_category'),
}
ENVIRONMENT = {**os.environ, 'PYTHONPATH': str(REPO), 'OMP_NUM_THREADS': '1'}


def train_arguments(root: Path, work_dir: Path, *more: str) -> list[str]:
    """Command line of two epochs of 40 iterations: long enough to be interrupted."""
    length = 'train_dataloader.sampler.episodes_per_epoch=80'
    slower = 'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult=0.1'
    options = [*FAST, length, slower, f'data_root={root}', *more]
    return [str(TINY), '--work-dir', str(work_dir), *options]


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=False)['state_dict']


def read_logs(work_dir: Path) -> str:
    return '\n'.join(path.read_text() for path in sorted(work_dir.glob('*/*.log')))


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs a tool in this process."""
    return ToolCaller(monkeypatch, capfd)


@pytest.fixture(scope='module')
def trained(synthetic_root, tmp_path_factory) -> Path:
    """Work directory of a training that nothing interrupted, in its own process."""
    work_dir = tmp_path_factory.mktemp('trained')
    result = subprocess.run(
        [sys.executable, 'tools/train.py', *train_arguments(synthetic_root, work_dir)],
        cwd=REPO,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert f'checkpoints and logs: {work_dir}' in result.stdout
    return work_dir


def test_log_of_a_training(trained):
    log = read_logs(trained)
    assert '2 episodes x 2 accumulated x 1 process = 4 episodes per update' in log
    assert '2 epochs x 40 iterations = 2 x 20 updates' in log
    assert 'CAPE: ' in log
    lines = [line for line in log.splitlines() if 'Epoch(train)' in line]
    assert len(lines) == 80
    memory = 'peak_mem_mib: ' if torch.cuda.is_available() else 'peak_rss_mib: '
    for line in lines:
        assert all(x in line for x in ('eta: ', 'episodes_per_sec: ', memory, 'loss: '))
    assert sum('Epoch(val)' in line and 'PCK@0.2:' in line for line in log.split('\n'))
    assert 'Training took ' in log
    assert 'paramwise_options' not in log  # MMEngine's line per parameter


def interrupt_in_epoch_2(arguments: list[str]) -> Outcome:
    """Train in a process of its own and press Ctrl-C in the second epoch."""
    process = subprocess.Popen(
        [sys.executable, '-u', 'tools/train.py', *arguments],
        cwd=REPO,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if 'Epoch(train) [2][ 1/' in line:
            os.killpg(process.pid, signal.SIGINT)  # workers get it too, as in a shell
            break
    out, err = process.communicate(timeout=60)
    return Outcome(process.returncode, ''.join(lines) + out, err)


def test_interrupted_training_resumes_to_the_same_weights(
    trained, synthetic_root, call, tmp_path
):
    work_dir = tmp_path / 'w'
    arguments = train_arguments(synthetic_root, work_dir)
    outcome = interrupt_in_epoch_2([*arguments, 'train_dataloader.num_workers=1'])
    assert outcome.code == 130, outcome.err
    assert 'run the same command with --resume' in outcome.err
    assert 'Traceback' not in outcome.err
    assert 'scheduler.step' not in outcome.err  # it would fear a mistake
    assert (work_dir / 'epoch_1.pth').is_file()
    assert not (work_dir / 'epoch_2.pth').exists()

    logs = set(work_dir.glob('*/*.log'))
    resumed = call('train', *arguments[:3], '--resume', *arguments[3:])
    assert resumed.code == 0, resumed.err
    (new_log,) = set(work_dir.glob('*/*.log')) - logs
    log = new_log.read_text()
    assert 'resumed epoch: 1, iter: 40' in log
    assert 'Epoch(train) [1]' not in log
    assert 'Epoch(train) [2][40/40]' in log
    ours, theirs = (load_weights(p / 'epoch_2.pth') for p in (work_dir, trained))
    before = load_weights(trained / 'epoch_1.pth')
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert any(not torch.equal(before[name], theirs[name]) for name in theirs)


def test_test_writes_metrics_and_pictures(trained, synthetic_root, call, tmp_path):
    work_dir, pictures = tmp_path / 'w', tmp_path / 'pictures'
    arguments = train_arguments(synthetic_root, work_dir)
    outcome = call(
        *('test', TINY, trained / 'epoch_2.pth', *arguments[1:]),
        *('--show-dir', pictures, '--num-show', '3'),
    )
    assert outcome.code == 0, outcome.err
    metrics = json.loads((work_dir / 'metrics.json').read_text())
    assert metrics.keys() >= METRIC_KEYS
    assert metrics['num_pairs'] == 2 * 2 * 2  # categories x episodes x queries
    assert metrics['num_pairs_dropped'] == 0
    assert len(metrics['per_category']) == 2
    assert all('PCK@0.2' in row for row in metrics['per_category'].values())
    for text in ('PCK@0.2', 'copy', str(work_dir / 'metrics.json'), str(pictures)):
        assert text in outcome.out
    sheet = cv2.imread(str(pictures / 'contact_sheet.png'))
    assert sheet is not None
    assert min(sheet.shape[:2]) > 200


def test_make_synthetic(call, monkeypatch, tmp_path):
    small = spec.SyntheticSpec('tiny', 0, dict(train=2, val=1, test=1), 4, 48)
    monkeypatch.setitem(spec.SIZES, 'tiny', small)
    arguments = ('--out', tmp_path / 'data', '--size', 'tiny', '--num-workers', '1')
    assert 'wrote ' in call('make_synthetic', *arguments).out
    assert (tmp_path / 'data/annotations/synthetic_split1_test.json').is_file()
    assert 're-used ' in call('make_synthetic', *arguments).out
    other = call('make_synthetic', *arguments, '--seed', '1')
    assert other.code == 2
    assert '--force' in other.message
    assert 'wrote ' in call('make_synthetic', *arguments, '--seed', '1', '--force').out


@pytest.mark.skipif(shutil.which('make') is None, reason='make is not installed')
def test_demo_always_asks_for_the_data_set_of_this_version():
    """An identical one is kept; a stamp file would keep an older version's too."""
    command = ['make', '-n', '-o', 'env/.cape_mm_installed', 'demo', 'VENV=env']
    result = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    line = 'make_synthetic.py --out data/synthetic_tiny --size tiny --force'
    assert line in result.stdout


@pytest.mark.parametrize('tool', TOOLS)
def test_help_shows_an_example_and_imports_nothing_heavy(tool):
    path = TOOLS[tool].relative_to(REPO)
    code = f"""
import runpy, sys
sys.path.append('tools')
sys.argv = ['x', '--help']
try:
    runpy.run_path('{path}', run_name='__main__')
except SystemExit as error:
    assert error.code == 0
assert not {{'torch', 'mmengine', 'cape_mm'}} & set(sys.modules)
"""
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=REPO, check=True, capture_output=True
    )
    assert f'python {path}' in result.stdout.decode()


@pytest.mark.parametrize('given', [None, 'ACTIVE'])
def test_threads_of_a_tool_do_not_spin(given, monkeypatch):
    monkeypatch.setenv('OMP_WAIT_POLICY', given or '')
    if given is None:
        monkeypatch.delenv('OMP_WAIT_POLICY')
    run_tool = runpy.run_path(str(REPO / 'tools/command_line.py'))['run_tool']
    seen = []
    assert run_tool(lambda: seen.append(os.environ['OMP_WAIT_POLICY'])) == 0
    assert seen == [given or 'PASSIVE']


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh'])
def test_launch_scripts_say_how_to_use_them(script):
    result = subprocess.run(
        ['bash', f'tools/{script}'], cwd=REPO, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr.startswith(f'usage: tools/{script} CONFIG')
