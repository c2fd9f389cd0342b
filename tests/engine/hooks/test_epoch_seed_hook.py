"""A model that draws at random learns the same with and without an interruption."""

from __future__ import annotations

import pytest
import torch
from mmengine.runner import Runner

from cape_mm.engine import EpochSeedHook
from cape_mm.engine.hooks import epoch_seed_hook


@pytest.fixture
def noisy_model(toy):
    """The toy model with noise on its inputs."""

    class NoisyModel(toy.ToyModel):
        def forward(self, x, y, data_samples, mode='tensor'):
            return super().forward(x + torch.randn_like(x), y, data_samples, mode)

    return NoisyModel


def train(toy, model, work_dir, max_epochs, with_hook=True, **kwargs) -> Runner:
    runner = toy.build_toy_runner(
        work_dir,
        [EpochSeedHook()] if with_hook else [],
        model(),
        max_epochs,
        accumulative_counts=1,
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        randomness=dict(seed=4),
        **kwargs,
    )
    runner.train()
    return runner


@pytest.mark.parametrize('with_hook', [True, False])
def test_resume_draws_what_the_whole_run_drew(toy, noisy_model, tmp_path, with_hook):
    whole = train(toy, noisy_model, tmp_path / 'whole', 2, with_hook)
    train(toy, noisy_model, tmp_path / 'first', 1, with_hook)
    resumed = train(
        toy,
        noisy_model,
        tmp_path / 'second',
        2,
        with_hook,
        resume=True,
        load_from=str(tmp_path / 'first' / 'epoch_1.pth'),
    )
    weights = (r.model.linear.weight for r in (whole, resumed))
    assert torch.equal(*weights) == with_hook  # MMEngine alone does not do it


def test_epochs_and_ranks_draw_differently(toy, tmp_path, monkeypatch):
    runner = toy.build_toy_runner(tmp_path, [], randomness=dict(seed=4))
    hook, drawn = EpochSeedHook(), []
    for epoch, rank in ((0, 0), (1, 0), (0, 1), (0, 0)):
        runner.train_loop._epoch = epoch
        monkeypatch.setattr(epoch_seed_hook, 'get_rank', lambda rank=rank: rank)
        hook.before_train_epoch(runner)
        drawn.append(float(torch.rand(())))
    assert len(set(drawn)) == 3
    assert drawn[0] == drawn[3]
