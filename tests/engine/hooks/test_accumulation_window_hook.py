"""The accumulation window in a real runner, against gradients computed by hand."""

from __future__ import annotations

import pytest
import torch
from mmengine.hooks import Hook
from torch.nn.utils import clip_grad_norm_

from cape_mm.engine.hooks.accumulation_window_hook import (
    AccumulationWindowHook,
)


class SpyHook(Hook):
    """Record the iterations that update, and the gradient that each update uses."""

    def __init__(self):
        self.updates, self.grads, self.pending = [], [], []

    def before_train(self, runner):
        optimizer = runner.optim_wrapper.optimizer
        step = optimizer.step

        def spy(*args, **kwargs):
            self.updates.append(runner.iter)
            self.grads.append(runner.model.linear.weight.grad.clone())
            return step(*args, **kwargs)

        optimizer.step = spy

    def before_val_epoch(self, runner):
        grads = [p.grad for p in runner.model.parameters()]
        self.pending.append(any(g is not None and bool(g.any()) for g in grads))


@pytest.fixture
def run(toy):
    """Train; the learning rate is 0 unless given, so all gradients share weights."""

    def run(work_dir, hook=True, **kwargs):
        spy = SpyHook()
        hooks = [spy, AccumulationWindowHook()] if hook else [spy]
        kwargs.setdefault('optimizer', dict(type='SGD', lr=0.0))
        runner = toy.build_toy_runner(work_dir, hooks, **kwargs)
        runner.train()
        return runner, spy

    return run


def batch_gradient(toy, start, stop):
    """The initial model, with the gradient of the mean loss of samples start..stop."""
    data, model, samples = toy.ToyDataset(), toy.ToyModel(), slice(start, stop)
    model(data.x[samples], data.y[samples], None, mode='loss')['loss'].backward()
    return model


def test_windows_are_4_4_2_in_every_epoch(run, tmp_path):
    runner, spy = run(tmp_path, max_epochs=2, validate=True)
    assert spy.updates == [3, 7, 9, 13, 17, 19]
    assert spy.pending == [False, False]
    assert runner.optim_wrapper.inner_count == 10


def test_without_the_hook_windows_straddle_epochs(run, tmp_path):
    """What the hook is for; if this fails, MMEngine has changed and it may go."""
    _, spy = run(tmp_path, hook=False, max_epochs=2, validate=True)
    assert spy.updates == [3, 7, 11, 15, 19]
    assert spy.pending == [True, False]


def test_every_window_equals_one_big_batch(toy, run, tmp_path):
    _, spy = run(tmp_path)
    assert len(spy.grads) == 3
    for grad, (start, stop) in zip(spy.grads, [(0, 8), (8, 16), (16, 20)]):
        expected = batch_gradient(toy, start, stop).linear.weight.grad
        torch.testing.assert_close(grad, expected, rtol=1e-12, atol=0)


def test_last_window_is_averaged_by_2(toy, run, tmp_path):
    """d/dw mean (x w - y)^2, by hand: summed over 2 micro-batches, divided by 2."""
    _, spy = run(tmp_path)
    data, micro = toy.ToyDataset(), []
    for start in (16, 18):
        x, y = data.x[start : start + 2], data.y[start : start + 2]
        error = x @ torch.full((3,), 0.1, dtype=torch.float64) - y
        micro.append((2 * error[:, None] * x).mean(0))
    torch.testing.assert_close(spy.grads[-1][0], (micro[0] + micro[1]) / 2)


def test_clipping_sees_the_accumulated_gradient(toy, run, tmp_path):
    _, spy = run(tmp_path, clip_grad=dict(max_norm=5.0))
    model = batch_gradient(toy, 0, 8)
    clip_grad_norm_(model.parameters(), 5.0)
    torch.testing.assert_close(spy.grads[0], model.linear.weight.grad)

    each_clipped = torch.zeros(1, 3, dtype=torch.float64)
    for start in range(0, 8, 2):
        micro = batch_gradient(toy, start, start + 2)
        clip_grad_norm_(micro.parameters(), 5.0)
        each_clipped += micro.linear.weight.grad / 4
    assert (each_clipped - spy.grads[0]).abs().max() > 0.1


def test_resume_equals_the_uninterrupted_run(toy, run, tmp_path):
    adam = dict(type='AdamW', lr=0.05)
    checkpoint = dict(checkpoint=dict(type='CheckpointHook', interval=1))
    whole, _ = run(tmp_path / 'whole', max_epochs=3, optimizer=adam)
    run(
        tmp_path / 'first', max_epochs=1, optimizer=adam, default_hooks=dict(checkpoint)
    )
    resumed, spy = run(
        tmp_path / 'second',
        max_epochs=3,
        optimizer=adam,
        resume=True,
        load_from=str(tmp_path / 'first' / 'epoch_1.pth'),
    )
    assert spy.updates == [13, 17, 19, 23, 27, 29]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name
    assert 'not divisible' not in toy.read_log(resumed)


@pytest.mark.parametrize(
    ('norm', 'norm_eval', 'count'),
    [(True, False, 1), (True, True, 0), (False, False, 0)],
)
def test_batch_norm_is_warned_of_once_or_not_at_all(
    toy, run, tmp_path, norm, norm_eval, count
):
    name = f'norm_{norm}_{norm_eval}'
    runner, _ = run(tmp_path / name, model=toy.ToyModel(norm, norm_eval), max_epochs=3)
    log = toy.read_log(runner)
    assert log.count('1 BatchNorm layers (first: norm)') == count
    assert 'Gradient accumulative may slightly' not in log


def test_unfinished_window_is_noticed(toy, tmp_path):
    runner = toy.build_toy_runner(tmp_path, [AccumulationWindowHook()])
    runner.model.train_step = lambda data, optim_wrapper: {}
    with pytest.raises(AssertionError, match='0 micro-batches were accumulated in an'):
        runner.train()
