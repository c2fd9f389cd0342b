"""Memory or disk that run out: one message that helps, and a non-zero exit code."""

from __future__ import annotations

import errno
import json
import os
import signal

import pytest
import torch
from mmengine.visualization import LocalVisBackend
from tool_calls import FAST, TINY

from cape_mm.apis.cli import EXIT_OUT_OF_RESOURCES
from cape_mm.apis.out_of_resources import explain_out_of_resources
from cape_mm.datasets import MP100EpisodeDataset
from cape_mm.models import CAPE

GPU_TEXT = (
    'CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of '
    '79.10 GiB of which 1.2 GiB is free.'
)
KILLED = 'DataLoader worker (pid 4711) is killed by signal: Killed. '
NO_SPACE = OSError(errno.ENOSPC, 'No space left on device', 'x.json')


@pytest.fixture
def train(call, synthetic_root, tmp_path):
    """Trains the tiny config."""
    arguments = ('train', TINY, '--work-dir', tmp_path / 'w', *FAST)
    return lambda *options: call(*arguments, f'data_root={synthetic_root}', *options)


@pytest.fixture
def test(call, synthetic_root, tmp_path):
    """Tests weights that were never trained."""
    from mmpose.registry import MODELS

    from cape_mm.apis import load_config, parse_cfg_options

    cfg = load_config(TINY, parse_cfg_options(FAST[1:]))
    path = tmp_path / 'x.pth'
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), path)
    pictures = ('--show-dir', tmp_path / 'pictures')
    arguments = ('test', TINY, path, '--work-dir', tmp_path / 'w', *pictures, *FAST)
    return lambda: call(*arguments, f'data_root={synthetic_root}')


def fail_with(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize(
    ('error', 'fragments'),
    [
        (
            torch.cuda.OutOfMemoryError(GPU_TEXT),
            [
                'the GPU ran out of memory: CUDA out of memory',
                '2.50 GiB',
                'batch_size',
                'accumulative_counts',
                'model.backbone.with_cp=True',
                'input_size',
                '--amp',
            ],
        ),
        (RuntimeError('CUDA error: out of memory'), ['the GPU ran out']),
        (MemoryError(), ['of this machine ran out', 'MiB at most', 'num_workers']),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            ['of this machine ran out', 'batch_size'],
        ),
        (RuntimeError(KILLED), ['a worker of a data loader died', 'pid 4711']),
        (
            RuntimeError('unable to write to file </torch_1_2_3>: No space left'),
            ['shared memory (/dev/shm) ran out', '--shm-size'],
        ),
        (NO_SPACE, ['the disk is full while x.json was written', '--resume']),
        (
            RuntimeError('[enforce fail] PytorchStreamWriter failed writing file data'),
            ['the disk may be full'],
        ),
        (RuntimeError('shapes do not fit'), None),
        (OSError(errno.EIO, 'broken'), None),
    ],
    ids=lambda value: (
        None if value is None or isinstance(value, list) else repr(value)[:20]
    ),
)
def test_message_says_what_ran_out_and_what_needs_less(error, fragments):
    text = explain_out_of_resources(error)
    if fragments is None:
        assert text is None
    else:
        assert all(fragment in text for fragment in fragments), text


@pytest.mark.parametrize(
    'error', [torch.cuda.OutOfMemoryError(GPU_TEXT), MemoryError('3 GiB')]
)
def test_memory_that_runs_out_in_training(train, monkeypatch, error):
    monkeypatch.setattr(CAPE, 'loss', fail_with(error))
    outcome = train()
    assert outcome.code == EXIT_OUT_OF_RESOURCES
    assert 'ran out' in outcome.message
    assert 'optim_wrapper.accumulative_counts' in outcome.message


def test_settings_that_need_less_memory_exist(train, tmp_path):
    options = ('train_dataloader.batch_size=1', 'optim_wrapper.accumulative_counts=8')
    outcome = train(*options, 'model.backbone.with_cp=True', 'train_cfg.max_epochs=1')
    assert outcome.code == 0, outcome.err
    assert 'batch' in outcome.out


@pytest.mark.parametrize(
    ('end', 'known', 'is_memory'),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), 'signal: Killed.', True),
        (os.abort, 'killed by signal: Aborted. What it printed', False),
        (lambda: os._exit(7), 'unexpectedly with exit code 7. What it', False),
    ],
    ids=['killed', 'aborted', 'exited'],
)
def test_worker_that_dies(train, monkeypatch, end, known, is_memory):
    monkeypatch.setattr(MP100EpisodeDataset, '_load_training', lambda *_: end())
    outcome = train('train_dataloader.num_workers=1')
    assert outcome.code == EXIT_OUT_OF_RESOURCES
    assert 'a worker of a data loader died: DataLoader worker (pid' in outcome.message
    assert known in outcome.message
    assert ('memory ran out' in outcome.message) == is_memory


def test_disk_full_while_scalars_are_logged(train, monkeypatch):
    monkeypatch.setattr(LocalVisBackend, 'add_scalars', fail_with(NO_SPACE))
    outcome = train()
    assert outcome.code == EXIT_OUT_OF_RESOURCES
    assert 'the disk is full' in outcome.message


def test_disk_full_under_the_pictures_keeps_the_metrics(test, monkeypatch, tmp_path):
    module = 'cape_mm.engine.hooks.episode_pictures_hook'
    monkeypatch.setattr(f'{module}.write_bytes_atomically', fail_with(NO_SPACE))
    outcome = test()
    assert outcome.code == EXIT_OUT_OF_RESOURCES
    assert 'the disk is full' in outcome.message
    assert 'contact_sheet.png could not be written' in outcome.out
    assert json.loads((tmp_path / 'w/metrics.json').read_text())['num_pairs'] > 0
    assert not list((tmp_path / 'pictures').glob('*'))


def test_disk_full_under_the_metrics_shows_them(test, monkeypatch, tmp_path):
    monkeypatch.setattr('os.replace', fail_with(NO_SPACE))
    outcome = test()
    assert outcome.code == EXIT_OUT_OF_RESOURCES
    assert 'PCK@0.2' in outcome.out
    assert 'the disk is full' in outcome.message
    assert not (tmp_path / 'w/metrics.json').exists()
