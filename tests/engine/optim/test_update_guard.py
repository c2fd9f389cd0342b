"""A gradient that is no number never reaches weights, momenta or the loss scale."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper
from torch.utils._python_dispatch import TorchDispatchMode
from toy_runner import ToyDataset, ToyModel

from cape_mm.engine.optim import UpdateGuard


class TroubledModel(ToyModel):
    """Calls are counted from 1; what happens at one of them:

    - ``'nan'``, ``'inf'``: the loss, and with it the gradient
    - ``'constant'``: the loss only, its own gradient would be finite
    - ``'gradient'``: the gradient only
    """

    def __init__(self, trouble: Mapping[int, str] | None = None) -> None:
        super().__init__()
        self.trouble = dict(trouble or {})
        self.num_calls = 0

    def forward(self, x, y, data_samples, mode='tensor'):
        result = super().forward(x, y, data_samples, mode)
        if mode != 'loss':
            return result
        self.num_calls += 1
        kind = self.trouble.get(self.num_calls)
        loss = result['loss']
        if kind in ('nan', 'inf'):
            loss = loss * float(kind)
        elif kind == 'constant':
            loss = loss + math.nan
        elif kind == 'gradient':
            zero = self.linear.weight.sum() * 0
            loss = loss + torch.sqrt(zero)  # derivative at 0: infinite times 0
        return dict(loss=loss)


CLIPS = [None, dict(max_norm=1.0), dict(type='value', clip_value=0.5)]
KINDS = ['nan', 'inf', 'constant', 'gradient']


def batches():
    data = ToyDataset(20)
    return [
        dict(x=data.x[2 * i : 2 * i + 2], y=data.y[2 * i : 2 * i + 2], data_samples=i)
        for i in range(10)
    ]


class Training:
    """Steps of a guarded toy model, and what the guard reported."""

    def __init__(self, trouble=None, counts=1, clip=None, guarded=True, wrapper=None):
        self.model = TroubledModel(trouble)
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1)
        make = wrapper or OptimWrapper
        clip = copy.deepcopy(clip)  # MMEngine takes the type out of it
        self.wrapper = make(
            optimizer=optimizer, accumulative_counts=counts, clip_grad=clip
        )
        self.skipped, self.num_updates = [], 0
        self.guard = UpdateGuard(self.wrapper, self.skipped.append, self.count)
        if guarded:
            self.guard.install()

    def count(self):
        self.num_updates += 1

    def run(self, num, first=0):
        for i, batch in enumerate(batches()[first : first + num], first):
            self.guard.open(i)
            loss = self.model(**batch, mode='loss')['loss']
            self.wrapper.update_params(loss)
        return self

    def state(self):
        """Weights and everything that the optimizer remembers."""
        return copy.deepcopy([self.model.state_dict(), self.wrapper.state_dict()])


def assert_equal(first, second):
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize('clip', CLIPS, ids=['no clip', 'norm', 'value'])
@pytest.mark.parametrize('kind', KINDS)
def test_bad_step_changes_nothing(kind, clip):
    training = Training({3: kind}, clip=clip).run(2)
    before = training.state()
    training.run(1, first=2)
    assert_equal(training.state(), before)
    assert [[entry.batch for entry in window] for window in training.skipped] == [[2]]
    training.run(1, first=3)
    assert training.num_updates == 3
    assert not torch.equal(training.model.linear.weight, before[0]['linear.weight'])


@pytest.mark.parametrize('clip', CLIPS[:2], ids=['no clip', 'norm'])
@pytest.mark.parametrize('place', [0, 1, 2])
@pytest.mark.parametrize('kind', ['constant', 'gradient'])
def test_bad_micro_batch_costs_its_window_and_no_other(kind, place, clip):
    troubled = Training({4 + place: kind}, counts=3, clip=clip).run(9)
    # the same without the second window
    clean = Training(counts=3, clip=clip).run(3)
    clean.wrapper._inner_count = 6
    clean.run(3, first=6)
    assert_equal(troubled.state(), clean.state())
    (window,) = troubled.skipped
    assert [entry.batch for entry in window] == [3, 4, 5]
    is_bad_loss = [entry.has_bad_loss() for entry in window]
    assert is_bad_loss == [kind != 'gradient' and i == place for i in range(3)]


@pytest.mark.parametrize('clip', CLIPS, ids=['no clip', 'norm', 'value'])
@pytest.mark.parametrize('counts', [1, 3])
def test_good_steps_are_those_of_an_unguarded_training(counts, clip):
    guarded = Training(counts=counts, clip=clip).run(6)
    plain = Training(counts=counts, clip=clip, guarded=False).run(6)
    assert_equal(guarded.state(), plain.state())
    assert guarded.num_updates == 6 // counts


class _Reads(TorchDispatchMode):
    """Counts how often a value is read from the device: each time is a wait."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(('clip', 'expected'), [(CLIPS[1], 1), (None, 1)])
def test_one_wait_per_update(clip, expected):
    training = Training(counts=3, clip=clip)
    training.wrapper.optimizer = torch.optim.SGD(training.model.parameters(), 0.1)
    with _Reads() as reads:
        training.run(3)
    assert training.num_updates == 1
    assert reads.count == expected


@pytest.fixture
def amp(monkeypatch):
    """MMEngine's wrapper with a scaler that works on the CPU."""
    if not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('this PyTorch scales losses on a GPU only')
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)

    def make(loss_scale='dynamic', init_scale=1024.0, **kwargs):
        wrapper = AmpOptimWrapper(loss_scale=loss_scale, **kwargs)
        scaler = torch.amp.GradScaler('cpu', init_scale=init_scale)
        wrapper.loss_scaler = scaler
        return wrapper

    return make


@pytest.mark.parametrize('clip', CLIPS[:2], ids=['no clip', 'norm'])
@pytest.mark.parametrize('kind', KINDS[:3])
def test_bad_loss_leaves_the_loss_scale_alone(amp, kind, clip):
    training = Training({3: kind}, clip=clip, wrapper=amp).run(2)
    before = training.state()
    training.run(1, first=2)
    assert_equal(training.state(), before)
    assert len(training.skipped) == 1
    training.run(1, first=3)  # a scaler that was left half way would refuse
    assert training.num_updates == 3


@pytest.mark.parametrize('clip', CLIPS[:2], ids=['no clip', 'norm'])
def test_overflow_of_a_scaled_gradient_is_left_to_the_scaler(amp, clip):
    training = Training({3: 'gradient'}, clip=clip, wrapper=amp).run(2)
    weights = copy.deepcopy(training.model.state_dict())
    training.run(1, first=2)
    assert_equal(training.model.state_dict(), weights)
    assert training.skipped == []
    assert training.wrapper.loss_scaler.get_scale() == 512.0


@pytest.mark.parametrize('options', [dict(init_scale=1.0), dict(loss_scale=64.0)])
def test_overflow_that_no_smaller_scale_would_mend_is_bad(amp, options):
    def make(**kwargs):
        return amp(**options, **kwargs)

    training = Training({3: 'gradient'}, clip=CLIPS[1], wrapper=make).run(3)
    assert len(training.skipped) == 1
