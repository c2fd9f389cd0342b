"""A resumed training draws and validates as an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner

from cape_mm.compat.checkpoint import read_checkpoint
from cape_mm.engine.hooks import (
    AtomicCheckpointHook,
    IterationSeedHook,
    MissedValidationHook,
    resume_hooks,
)


class Diary(Hook):
    """Notes what happens."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def before_train_epoch(self, runner: Runner) -> None:
        self.entries.append(f'train {runner.epoch + 1}')

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        self.entries.append(f'val {runner.epoch}')


class Killed(Exception):
    """The process ends here."""


class KillInValidation(Hook):
    """Ends the process in the validation of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.epoch == self.epoch:
            raise Killed


def train(
    toy,
    work_dir: Path,
    hooks: list,
    max_epochs: int = 4,
    hook: type[CheckpointHook] = CheckpointHook,
    **kwargs,
) -> list[str]:
    """What happened."""
    # two runs within a second would share what they know
    MMLogger._instance_dict.clear()
    MessageHub._instance_dict.clear()
    diary = Diary()
    # the toy's error falls at first, then rises
    saving = hook(interval=1, save_best='error', rule='less')
    runner = toy.build_toy_runner(
        work_dir,
        [diary, MissedValidationHook(), *hooks],
        max_epochs=max_epochs,
        validate=True,
        default_hooks=dict(checkpoint=saving),
        **kwargs,
    )
    try:
        runner.train()
    except Killed:
        diary.entries.append('killed')
    diary.best = runner.message_hub.runtime_info.get('best_ckpt')
    return diary.entries


def resume(toy, work_dir: Path, name: str, **kwargs) -> list[str]:
    options = dict(load_from=str(work_dir / name), resume=True)
    return train(toy, work_dir, [], **options, **kwargs)


def test_killed_while_validating(toy, tmp_path):
    before = train(toy, tmp_path, [KillInValidation(2)])
    assert before == ['train 1', 'val 1', 'train 2', 'killed']
    after = resume(toy, tmp_path, 'epoch_2.pth')
    assert after == ['val 2', 'train 3', 'val 3', 'train 4', 'val 4']


def test_the_resumed_checkpoint_learns_what_is_best(toy, tmp_path):
    plan = dict(max_epochs=1, hook=AtomicCheckpointHook)
    train(toy, tmp_path / 'whole', [], **plan)
    train(toy, tmp_path / 'killed', [KillInValidation(1)], **plan)
    resume(toy, tmp_path / 'killed', 'epoch_1.pth', **plan)
    whole, killed = (
        read_checkpoint(tmp_path / name / 'epoch_1.pth')['message_hub']['runtime_info']
        for name in ('whole', 'killed')
    )
    assert Path(killed['best_ckpt']).name == 'best_error_epoch_1.pth'
    for fact in ('best_score', 'epoch', 'iter', 'last_validated'):
        assert killed[fact] == whole[fact], fact


def test_nothing_was_due(toy, tmp_path):
    plan = dict(train_cfg=dict(by_epoch=True, max_epochs=4, val_interval=2))
    train(toy, tmp_path, [], **plan)
    after = resume(toy, tmp_path, 'epoch_1.pth', **plan)
    assert after == ['train 2', 'val 2', 'train 3', 'train 4', 'val 4']


def test_iterations_and_ranks_draw_differently(toy, tmp_path, monkeypatch):
    runner = toy.build_toy_runner(tmp_path, [], randomness=dict(seed=4))
    hook, drawn = IterationSeedHook(), []
    for iteration, rank in ((0, 0), (1, 0), (0, 1), (0, 0)):
        runner.train_loop._iter = iteration
        monkeypatch.setattr(resume_hooks, 'get_rank', lambda rank=rank: rank)
        hook.before_train_iter(runner, 0)
        drawn.append(float(torch.rand(())))
    assert len(set(drawn)) == 3
    assert drawn[0] == drawn[3]
