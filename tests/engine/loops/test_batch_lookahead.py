"""The next batch is made ready between a backward pass and the wait for it."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from cape_mm.engine.loops.episode_train_loop import PreparedBatches, look_ahead


class Preprocessor(nn.Module):
    def prepare_ahead(self, data: dict) -> dict:
        return data | dict(prepared=True)


class Model(nn.Module):
    """Claims to be on a GPU, or not to be."""

    def __init__(self, is_cuda: bool = True, preprocessor: nn.Module | None = None):
        super().__init__()
        self.data_preprocessor = preprocessor or Preprocessor()
        self.weight = nn.Parameter(torch.ones(()))
        self.is_cuda = is_cuda

    def parameters(self, recurse: bool = True):
        for weight in super().parameters(recurse):
            weight.__class__ = GpuParameter if self.is_cuda else nn.Parameter
            yield weight


class GpuParameter(nn.Parameter):
    is_cuda = True


def make_wrapper(model: Model, **kwargs) -> OptimWrapper:
    return OptimWrapper(torch.optim.SGD([model.weight], lr=0.5), **kwargs)


def make_batches(number: int, events: list):
    for index in range(number):
        events.append(f'fetch {index}')
        yield dict(index=index)


def train(model: Model, wrapper: OptimWrapper, number: int) -> tuple[list, list]:
    """Events in their order, and what every step was given."""
    events, given = [], []
    step = wrapper.step
    wrapper.step = lambda **kwargs: (events.append('update'), step(**kwargs))
    fetched = make_batches(number, events)
    with look_ahead(fetched, model, wrapper) as batches:
        for batch in batches:
            given.append(batch)
            events.append('forward')
            wrapper.update_params(model.weight * 2)
    return events, given


def test_next_batch_is_ready_before_the_update():
    model = Model()
    events, given = train(model, make_wrapper(model), 3)
    assert events == [
        *('fetch 0', 'forward', 'fetch 1', 'update'),
        *('forward', 'fetch 2', 'update', 'forward', 'update'),
    ]
    # nobody could have prepared the first one
    assert given == [dict(index=0)] + [dict(index=i, prepared=True) for i in (1, 2)]
    assert model.weight.item() == 1 - 3 * 0.5 * 2


@pytest.mark.parametrize(
    'model', [Model(is_cuda=False), Model(preprocessor=nn.Identity())]
)
def test_elsewhere_batches_come_as_they_are(model):
    events, given = train(model, make_wrapper(model), 2)
    assert events == ['fetch 0', 'forward', 'update', 'fetch 1', 'forward', 'update']
    assert given == [dict(index=0), dict(index=1)]


def test_errors_come_when_the_batch_is_asked_for():
    def batches():
        yield dict(index=0)
        raise ValueError('worker died')

    prepared = PreparedBatches(batches(), lambda batch: batch)
    assert next(prepared) == dict(index=0)
    prepared.prepare_next()  # an update goes on
    with pytest.raises(ValueError, match='worker died'):
        next(prepared)
    with pytest.raises(StopIteration):
        next(prepared)
