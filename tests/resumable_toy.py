"""A toy training that draws at random, is killed by its own hand, and is resumed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import torch
from mmengine.runner import Runner
from torch import Tensor
from toy_runner import ToyModel, build_toy_runner

from cape_mm.apis.resuming import find_last_checkpoint
from cape_mm.engine.hooks import (
    AccumulationWindowHook,
    IterationSeedHook,
    MissedValidationHook,
    ResumableEarlyStoppingHook,
)

EVERY_EPOCH = dict(by_epoch=True, interval=1)
WITHIN_EPOCHS = dict(by_epoch=False, interval=3)


class NoisyModel(ToyModel):
    """Noise on the inputs of the training."""

    def forward(
        self, x: Tensor, y: Tensor, data_samples: Tensor, mode: str = 'tensor'
    ) -> dict | list:
        if mode == 'loss':
            x = x + torch.randn_like(x)
        return super().forward(x, y, data_samples, mode)


def build(
    work_dir: Path,
    checkpoint: dict,
    resume: bool = False,
    max_epochs: int = 2,
    **kwargs,
) -> Runner:
    """Ten batches per epoch in windows of 4, 4 and 2, with a validation after each."""
    path = find_last_checkpoint(work_dir) if resume else None
    hooks = [
        *(AccumulationWindowHook(), IterationSeedHook(), MissedValidationHook()),
        ResumableEarlyStoppingHook('error', patience=9),
        *kwargs.pop('hooks', ()),
    ]
    settings = dict(type='AtomicCheckpointHook', save_best='error', rule='less')
    options = dict(
        train_cfg=dict(type='EpisodeTrainLoop', max_epochs=max_epochs),
        default_hooks=dict(checkpoint={**settings, 'max_keep_ckpts': 2, **checkpoint}),
        randomness=dict(seed=4),
        param_scheduler=dict(type='ExponentialLR', gamma=0.97, by_epoch=False),
        resume=path is not None,
        load_from=str(path) if path else None,
        experiment_name=uuid4().hex,  # MMEngine shares message hubs by this name
    )
    optimizer = dict(type='AdamW', lr=0.05)
    return build_toy_runner(
        work_dir,
        hooks,
        NoisyModel(),
        validate=True,
        optimizer=optimizer,
        **{**options, **kwargs},
    )


def train(work_dir: Path, checkpoint: dict, resume: bool = False, **kwargs) -> Runner:
    runner = build(work_dir, checkpoint, resume, **kwargs)
    runner.train()
    return runner


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(run: Callable[[], object]) -> bool:
    """Run something in a process of its own; whether a SIGKILL ended it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or status == 0, 'the training failed by itself'
    return os.WIFSIGNALED(status)


def assert_same_end(one: Runner, other: Runner) -> None:
    """Weights, optimizer, schedule, all losses and validations, and what is kept."""
    for name, value in one.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], value), name
    states = [r.optim_wrapper.state_dict()['state'] for r in (one, other)]
    for key, values in states[0].items():
        for name, value in values.items():
            assert torch.equal(states[1][key][name], value), name
    assert (
        one.param_schedulers[0].state_dict() == other.param_schedulers[0].state_dict()
    )
    for key in ('train/loss', 'train/lr', 'val/error'):
        curves = [r.message_hub.get_scalar(key).data[0].tolist() for r in (one, other)]
        assert curves[0] == curves[1], key
    for key in ('best_score', 'early_stopping', 'keep_ckpt_ids'):
        facts = [r.message_hub.get_info(key) for r in (one, other)]
        assert facts[0] == facts[1], key
    names = [sorted(p.name for p in files_of(r)) for r in (one, other)]
    assert names[0] == names[1]


def files_of(runner: Runner) -> list[Path]:
    """Everything in a work directory but logs and the config."""
    found = [path for path in Path(runner.work_dir).iterdir() if path.is_file()]
    return [path for path in found if path.suffix != '.py']
