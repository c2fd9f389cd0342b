"""A work directory can be resumed whenever its training was killed."""

from __future__ import annotations

import errno
import os

import pytest
import torch
from resumable_toy import (
    EVERY_EPOCH,
    WITHIN_EPOCHS,
    assert_same_end,
    die,
    killed,
    train,
)

from cape_mm.apis.resuming import find_last_checkpoint
from cape_mm.engine.hooks import AtomicCheckpointHook
from cape_mm.errors import CheckpointWriteError
from cape_mm.utils import atomic_write


class Moment:
    """Kills the process at the n-th time that it comes to a step of a write.

    The steps: written, to be renamed, renamed, an older one to go.
    """

    def __init__(self, step: str, number: int) -> None:
        self.step, self.left = step, number

    def __call__(self, step: str) -> None:
        self.left -= step == self.step
        if not self.left:
            die()


def arm(monkeypatch, moment: Moment) -> None:
    """Have file functions pass by ``moment``."""
    fsync, replace, remove = os.fsync, os.replace, os.remove

    def watched_fsync(handle):
        moment('fsync')
        fsync(handle)

    def watched_replace(source, target):
        moment('replace')
        replace(source, target)
        moment('replaced')

    def watched_remove(path):
        moment('unlink')
        remove(path)

    monkeypatch.setattr(atomic_write.os, 'fsync', watched_fsync)
    monkeypatch.setattr(atomic_write.os, 'replace', watched_replace)
    monkeypatch.setattr(os, 'remove', watched_remove)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Uninterrupted trainings by kind of checkpoint."""
    folder = tmp_path_factory.mktemp('whole')
    return {
        'epochs': train(folder / 'epochs', EVERY_EPOCH, max_epochs=3),
        'iterations': train(folder / 'iterations', WITHIN_EPOCHS, max_epochs=3),
    }


@pytest.mark.parametrize(
    ('step', 'number'),
    [
        *(('fsync', 1), ('fsync', 9), ('fsync', 12), ('replace', 2), ('replace', 5)),
        *(('replaced', 3), ('replaced', 4), ('unlink', 1), ('unlink', 2)),
    ],
)
def test_kill_within_a_write(whole, tmp_path, monkeypatch, step, number):
    work_dir = tmp_path / 'run'
    with monkeypatch.context() as patch:
        arm(patch, Moment(step, number))
        kind = EVERY_EPOCH if number % 2 else WITHIN_EPOCHS
        assert killed(lambda: train(work_dir, kind, max_epochs=3))
    if not (step in ('fsync', 'replace') and number == 1):
        assert find_last_checkpoint(work_dir) is not None
    resumed = train(work_dir, kind, resume=True, max_epochs=3)
    assert_same_end(whole['epochs' if number % 2 else 'iterations'], resumed)


def test_best_checkpoint_is_never_missing(tmp_path, monkeypatch):
    """MMEngine removes the old one before it writes the new one."""
    missing = []
    save = AtomicCheckpointHook._save_best_checkpoint

    def watch(self, runner, metrics):
        before = list(tmp_path.glob('best_*.pth'))
        replace = os.replace

        def look(source, target):
            missing.append(bool(before) and not list(tmp_path.glob('best_*.pth')))
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(atomic_write.os, 'replace', look)
            save(self, runner, metrics)

    monkeypatch.setattr(AtomicCheckpointHook, '_save_best_checkpoint', watch)
    train(tmp_path, EVERY_EPOCH, max_epochs=3)
    assert len(missing) > 2 and not any(missing)
    assert len(list(tmp_path.glob('best_*.pth'))) == 1


def test_full_disk_keeps_what_was_there(whole, tmp_path, monkeypatch):
    left = [7]  # of the second checkpoint: file and folder are synchronised each time

    def refuse(handle):
        left[0] -= 1
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, 'No space left on device')

    message = r'epoch_\d.pth could not be written: No space left on device. The chec'
    with monkeypatch.context() as patch:
        patch.setattr(atomic_write.os, 'fsync', refuse)
        with pytest.raises(CheckpointWriteError, match=message):
            train(tmp_path, EVERY_EPOCH, max_epochs=3)
    assert not list(tmp_path.glob('.*.partial'))
    assert find_last_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
    resumed = train(tmp_path, EVERY_EPOCH, resume=True, max_epochs=3)
    assert_same_end(whole['epochs'], resumed)


def test_checkpoints_within_an_epoch_fall_on_ends_of_windows(tmp_path):
    checkpoint = dict(by_epoch=False, interval=3, max_keep_ckpts=-1)
    train(tmp_path, checkpoint, max_epochs=2)
    steps = sorted(int(p.stem.split('_')[-1]) for p in tmp_path.glob('iter_*.pth'))
    assert steps == [4, 8, 10, 14, 18, 20]


def test_moved_work_dir_touches_nothing_outside(tmp_path):
    old, new = tmp_path / 'old', tmp_path / 'new'
    train(old, EVERY_EPOCH, max_epochs=1)
    old.rename(new)
    old.mkdir()
    (best,) = new.glob('best_*.pth')
    (old / best.name).write_text('precious')
    train(new, EVERY_EPOCH, resume=True, max_epochs=3)
    assert (old / best.name).read_text() == 'precious'
    assert len(list(new.glob('best_*.pth'))) == 1


def test_crafted_checkpoint_removes_no_other_file(tmp_path):
    work_dir, precious = tmp_path / 'run', tmp_path / 'precious.pth'
    train(work_dir, EVERY_EPOCH, max_epochs=1)
    precious.write_text('precious')
    path = work_dir / 'epoch_1.pth'
    content = torch.load(path, weights_only=False)
    facts = content['message_hub']['runtime_info']
    facts['best_ckpt'] = str(precious)
    facts['keep_ckpt_ids'] = ['x/../../precious', 1]
    facts['last_ckpt'] = str(precious)
    torch.save(content, path)
    train(work_dir, EVERY_EPOCH, resume=True, max_epochs=3)
    assert precious.read_text() == 'precious'
