"""Prediction as a CUDA graph: the way in, and on a GPU the result."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from mmpose.registry import MODELS
from tiny_cape import EMBED_DIMS, SKELETONS, random_context

from cape_mm.models.layers import CudaGraphs


def make_head(**kwargs):
    cfg = dict(type='AutoregressiveHead', embed_dims=EMBED_DIMS, num_heads=2)
    head = MODELS.build(cfg | dict(num_layers=1) | kwargs).double().eval()
    torch.nn.init.normal_(head.correction.weight, std=0.3)
    return head


def make_context(seed: int = 0):
    is_known = torch.ones(2, 5, dtype=torch.bool)
    is_known[1, 2] = False
    edges = [SKELETONS[5]] * 2
    return random_context(torch.Generator().manual_seed(seed), edges, is_known)


@torch.no_grad()
@pytest.mark.parametrize('mode', ['parallel', 'ar', 'ar+refine'])
def test_on_a_cpu_nothing_changes(mode):
    head, context = make_head(), make_context()
    plain = head.predict(context, mode)
    for one, other in zip(plain[:3], head(context, mode, cuda_graph=True)):
        assert torch.equal(one, other)
    assert len(head.cuda_graphs) == 0


def test_random_order_is_never_recorded():
    assert make_head().capturable
    assert not make_head(test_order='random').capturable


def test_copies_start_without_graphs():
    graphs = CudaGraphs(capacity=2)
    graphs._captured['shape'] = object()
    copy = deepcopy(graphs)
    assert (copy.capacity, len(copy)) == (2, 0)


class Recorded:
    """Stands in for a recorded graph."""

    def replay(self, tensors):
        return tuple(tensors)


def test_one_graph_per_shape_and_the_oldest_goes_first(monkeypatch):
    calls = []

    def capture(function, tensors, pool):
        assert pool == (0, 1)  # all graphs share their memory
        calls.append(tuple(tensors[0].shape))
        return Recorded()

    monkeypatch.setattr('cape_mm.models.layers.cuda_graphs.capture', capture)
    pools = iter([(0, 1), (0, 2)])
    monkeypatch.setattr(torch.cuda, 'graph_pool_handle', lambda: next(pools))
    graphs = CudaGraphs(capacity=2)
    for size in (1, 2, 1, 3, 1, 2):
        graphs.run(None, [torch.zeros(size)], key='head')
    # 1 was used again before 3 came, so 2 had to go and is recorded a second time
    assert calls == [(1,), (2,), (3,), (2,)]
    graphs.run(None, [torch.zeros(2)], key='other weights')
    assert len(calls) == 5


def to_gpu(context):
    parts = {
        name: value.cuda()
        for name, value in vars(context).items()
        if isinstance(value, torch.Tensor)
    }
    return replace(context, **parts)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='CUDA graphs need a GPU')
@torch.no_grad()
@pytest.mark.parametrize('mode', ['parallel', 'ar', 'ar+refine'])
def test_replay_equals_eager(mode):
    head = make_head().cuda()
    for seed in (0, 1, 0):
        context = to_gpu(make_context(seed))
        plain = head.predict(context, mode)
        for one, other in zip(plain[:3], head(context, mode, cuda_graph=True)):
            torch.testing.assert_close(one, other)
    assert len(head.cuda_graphs) >= 1
