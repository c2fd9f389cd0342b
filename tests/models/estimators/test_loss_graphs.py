"""Training as CUDA graphs: what does not need a GPU, and what does."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from tiny_cape import PLAIN_PREFIX, build_cape, make_episode, prepare

from cape_mm.models.estimators.loss_graphs import (
    CapturedLoss,
    LossGraphs,
    ReplayCount,
    ReplayedLoss,
    compute_gradients,
)

ON_GPU = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='CUDA graphs need a GPU'
)


class FakeGraph:
    """Stands in for a recorded graph: doubles its input."""

    def __init__(self, captured_parts: dict) -> None:
        self.parts = captured_parts

    def replay(self) -> None:
        value = self.parts['inputs'][0]
        self.parts['losses']['loss_a'].copy_(2 * value)
        self.parts['gradients'][0].copy_(value)


def make_captured() -> CapturedLoss:
    parts = dict(
        inputs=(torch.zeros(()),),
        losses=dict(loss_a=torch.zeros(())),
        gradients=(torch.zeros(()),),
        has_gradient=(True, False),
    )
    return CapturedLoss(FakeGraph(parts), **parts)


def replay(captured, value, weight):
    return ReplayedLoss.apply(captured, [torch.tensor(value)], weight)[0]


def test_gradients_of_replays_add_up_and_are_scaled():
    captured = make_captured()
    weight = torch.nn.Parameter(torch.zeros(()))
    first = replay(captured, 3.0, weight)
    (first / 2).backward()
    assert first.item() == 6
    assert weight.grad.item() == 1.5
    kept = first.detach()
    (replay(captured, 5.0, weight) / 2).backward()
    assert weight.grad.item() == 1.5 + 2.5
    assert kept.item() == 6  # a later replay does not reach into an earlier result
    # nor does one reach into a gradient that was handed out
    captured.replay([torch.tensor(9.0)])
    assert weight.grad.item() == 4


@pytest.mark.parametrize('is_other_shape', [False, True])
def test_gradients_that_were_overwritten_are_refused(is_other_shape):
    captured = other = make_captured()
    if is_other_shape:
        other = make_captured()
        captured.replays = other.replays = ReplayCount()  # as they share their memory
    weight = torch.nn.Parameter(torch.zeros(()))
    first = replay(captured, 3.0, weight)
    replay(other, 5.0, weight)
    with pytest.raises(RuntimeError, match='overwritten'):
        first.backward()


def reached(losses):
    """Edges of the graph that lead to parameters."""
    edges = losses['loss_a'].grad_fn.next_functions
    return [edge for edge in edges if edge[0] is not None]


def test_recorded_shapes_share_their_count(monkeypatch):
    module = 'cape_mm.models.estimators.loss_graphs'
    monkeypatch.setattr(f'{module}._can_replay', lambda *_: True)
    monkeypatch.setattr(f'{module}.capture', lambda *_: make_captured())
    monkeypatch.setattr('torch.cuda.graph_pool_handle', lambda: (0, 1))
    graphs, model = LossGraphs(), torch.nn.Linear(1, 1)  # the bias gets no gradient
    for dtype in (torch.float32, torch.float64):
        losses = graphs.run(model, None, [torch.zeros((), dtype=dtype)])
    assert [edge[0].variable is model.weight for edge in reached(losses)] == [True]
    counts = [captured.replays for captured in graphs._captured.values()]
    assert counts[0] is counts[1]
    assert counts[0].number == 2


def loss_function(model):
    def compute(scale):
        losses = model(**model.prepared, mode='loss')
        return {name: loss * scale for name, loss in losses.items()}

    return compute


def prepared_model(**kwargs):
    model = build_cape(head=dict(prefix_mix=PLAIN_PREFIX, random_order_prob=0.0))
    model.train()
    model.__dict__['prepared'] = prepare(model, [make_episode(0), make_episode(1)])
    return model


def test_gradients_are_those_of_the_models_own_parameters():
    model = prepared_model()
    frozen = model.head.decoder.norm.weight.requires_grad_(False)
    losses, gradients = compute_gradients(
        model, loss_function(model), (torch.tensor(1.0),)
    )
    expected = model(**model.prepared, mode='loss')
    sum(expected.values()).backward()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert losses.keys() == expected.keys()
    assert frozen.grad is None
    for own, weight in zip(gradients, trained, strict=True):
        if weight.grad is None:
            assert own is None
        else:
            torch.testing.assert_close(own, weight.grad)


def test_without_a_gpu_nothing_is_recorded():
    model = prepared_model()
    model.train_cfg['cuda_graph'] = True
    losses = model(**model.prepared, mode='loss')
    sum(losses.values()).backward()
    assert not model.loss_graphs._captured
    model.train_cfg['cuda_graph'] = False
    plain = model(**model.prepared, mode='loss')
    assert {k: v.item() for k, v in losses.items()} == {
        k: v.item() for k, v in plain.items()
    }


def test_graphs_are_no_part_of_the_model_that_is_copied():
    graphs = LossGraphs(capacity=3)
    graphs._captured['shape'] = object()
    copy = deepcopy(graphs)
    assert (copy.capacity, copy._captured) == (3, {})
    assert not any(
        'cuda_graph' in name or 'loss_graph' in name
        for name in prepared_model().state_dict()
    )


@ON_GPU
@pytest.mark.parametrize('num_batches', [1, 3])
def test_replayed_training_equals_eager(num_batches):
    model = prepared_model().cuda()
    batches = [
        prepare(model, [make_episode(seed, num_keypoints=5 + seed % 2)])
        for seed in range(num_batches)
    ]
    found = {}
    for graph in (False, True):
        model.train_cfg['cuda_graph'] = graph
        model.zero_grad()
        for batch in batches:
            (sum(model(**batch, mode='loss').values()) / num_batches).backward()
        found[graph] = [
            None if weight.grad is None else weight.grad.clone()
            for weight in model.parameters()
        ]
    assert len(model.loss_graphs._captured) == min(num_batches, 2)
    for eager, replayed in zip(found[False], found[True]):
        if eager is None:
            assert replayed is None
        else:
            torch.testing.assert_close(replayed, eager, rtol=1e-3, atol=1e-5)
