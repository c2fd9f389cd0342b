"""Which checkpoint a training goes on from, before anything is built."""

from __future__ import annotations

import pytest
import torch

from cape_mm.apis import resuming
from cape_mm.apis.config_loading import load_config
from cape_mm.apis.resuming import (
    describe_kept,
    find_last_checkpoint,
    list_checkpoints,
    set_resume,
)
from cape_mm.errors import CheckpointError, UnsafeCheckpointError


@pytest.fixture
def logged(monkeypatch):
    messages = []
    monkeypatch.setattr(
        resuming, 'print_log', lambda message, *args, **kw: messages.append(message)
    )
    return messages


@pytest.fixture
def work_dir(tmp_path):
    """With epoch_8 to epoch_10, the last one named."""
    folder = tmp_path / 'run'
    folder.mkdir()
    for step in (8, 9, 10):
        save(folder / f'epoch_{step}.pth', step)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_10.pth'))
    return folder


def save(path, step):
    weights = {'w': torch.arange(1000.0) + step}
    torch.save(dict(state_dict=weights, meta=dict(epoch=step)), path)


def cut(path):
    path.write_bytes(path.read_bytes()[:-700])


def empty(path):
    path.write_bytes(b'')


def garble(path):
    path.write_bytes(b'\x07garbage' * 500)


def change_a_weight(path):
    content = bytearray(path.read_bytes())
    place = content.index(torch.arange(10.0, 15.0).numpy().tobytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))
    torch.load(path, weights_only=True)  # torch itself does not notice


def remove(path):
    path.unlink()


DAMAGES = (cut, empty, garble, change_a_weight, remove)


def test_last_one_is_taken(work_dir, logged):
    assert find_last_checkpoint(work_dir) == work_dir / 'epoch_10.pth'
    assert logged == []


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_last_one_falls_back_and_says_so(work_dir, logged, damage):
    damage(work_dir / 'epoch_10.pth')
    assert find_last_checkpoint(work_dir) == work_dir / 'epoch_9.pth'
    assert 'epoch_10.pth' in logged[0]
    assert logged[1] == f'resume: falling back to {work_dir / "epoch_9.pth"}'
    empty(work_dir / 'epoch_9.pth')
    assert find_last_checkpoint(work_dir) == work_dir / 'epoch_8.pth'


def test_nothing_whole_is_an_error_and_no_fresh_start(work_dir, toy_config):
    for path in work_dir.glob('*.pth'):
        cut(path)
    cfg = load_config(toy_config, {'work_dir': str(work_dir)})
    message = 'no checkpoint in .* is whole. Nothing was started(.|\n)*epoch_10.pth'
    with pytest.raises(CheckpointError, match=message):
        set_resume(cfg, 'auto')


def test_file_that_could_run_code_is_not_passed_over(work_dir):
    path = work_dir / 'epoch_10.pth'
    torch.save(dict(state_dict={'w': torch.ones(1)}, x=torch.nn.Linear(1, 1)), path)
    with pytest.raises(UnsafeCheckpointError, match='--trust-checkpoint'):
        find_last_checkpoint(work_dir)


@pytest.mark.parametrize('content', [None, b'', b'\n', b'\xff\xfe\x00', b'a\0b'])
def test_lost_name_is_found_by_number(work_dir, content):
    pointer = work_dir / 'last_checkpoint'
    pointer.unlink() if content is None else pointer.write_bytes(content)
    assert find_last_checkpoint(work_dir) == work_dir / 'epoch_10.pth'


def test_later_checkpoints_are_those_of_an_older_run(work_dir):
    (work_dir / 'last_checkpoint').write_text('/elsewhere/epoch_9.pth')
    save(work_dir / 'iter_5.pth', 5)
    names = [path.name for path in list_checkpoints(work_dir)]
    assert names == ['epoch_9.pth', 'epoch_8.pth']


def test_moved_work_dir_resumes_from_the_file_beside(work_dir, toy_config):
    (work_dir / 'last_checkpoint').write_text('/old/place/epoch_9.pth')
    cfg = load_config(toy_config, {'work_dir': str(work_dir), 'resume': True})
    set_resume(cfg, None)
    assert cfg.resume and cfg.load_from == str(work_dir / 'epoch_9.pth')


def test_best_checkpoints_are_none_to_resume_from(tmp_path):
    save(tmp_path / 'best_PCK@0.2_epoch_3.pth', 3)
    assert find_last_checkpoint(tmp_path) is None


def test_path_that_does_not_exist_or_is_damaged(toy_config, work_dir):
    cfg = load_config(toy_config, {'work_dir': str(work_dir)})
    with pytest.raises(CheckpointError, match='nope.pth does not exist. Nothing was'):
        set_resume(cfg, 'nope.pth')
    change_a_weight(work_dir / 'epoch_10.pth')
    with pytest.raises(CheckpointError, match='epoch_10.pth .*checksum'):
        set_resume(cfg, work_dir / 'epoch_10.pth')


def test_auto_starts_afresh_only_without_any_checkpoint(toy_config, tmp_path, logged):
    cfg = load_config(toy_config, {'work_dir': str(tmp_path)})
    set_resume(cfg, 'auto')
    assert cfg.resume is False
    assert logged == [f'resume: no checkpoint in {tmp_path}, starting from scratch']


def test_no_resume_leaves_load_from_alone(toy_config):
    cfg = load_config(toy_config, {'load_from': 'x.pth'})
    set_resume(cfg, None)
    assert cfg.load_from == 'x.pth'
    assert not cfg.get('resume')


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({}, ''),
        ({'train_dataloader.batch_size': 1, 'train_cfg.val_interval': 2}, ''),
        ({'optim_wrapper.accumulative_counts': 8}, ''),
        ({'train_cfg.max_epochs': 9}, 'train_cfg.max_epochs=9 (was 4)'),
        (
            {'optim_wrapper.optimizer.lr': 0.01},
            'optim_wrapper.optimizer.lr=0.01 (was 0.001)',
        ),
        ({'param_scheduler.0.end': 7}, 'param_scheduler.0.end=7 (was 100)'),
        (
            {'param_scheduler': [dict(type='ConstantLR')]},
            "param_scheduler.0.type='ConstantLR' (was 'LinearLR')",
        ),
    ],
)
def test_what_a_resume_keeps(options, said):
    meta = dict(cfg=load_config('configs/cape_tiny_scratch.py').pretty_text)
    found = describe_kept(meta, load_config('configs/cape_tiny_scratch.py', options))
    assert said in found and bool(found) == bool(said)


@pytest.mark.parametrize('text', [None, 'x = ', "param_scheduler = open('x')", ''])
def test_a_checkpoint_that_does_not_tell(text):
    assert (
        describe_kept(dict(cfg=text), load_config('configs/cape_tiny_scratch.py')) == ''
    )
