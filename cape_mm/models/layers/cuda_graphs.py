"""Replaying many small GPU kernels as one CUDA graph."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

Result = TypeVar('Result')
Tensors = Sequence[torch.Tensor]
Results = tuple[torch.Tensor | None, ...]


@dataclass(frozen=True)
class CapturedGraph:
    """A graph with the memory that it reads from and writes to."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[torch.Tensor, ...]
    outputs: Results

    def replay(
        self, tensors: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor | None, ...]:
        """Run on new inputs of the same shapes; the results are copies."""
        for own, given in zip(self.inputs, tensors):
            own.copy_(given)
        self.graph.replay()
        return tuple(None if out is None else out.clone() for out in self.outputs)


class CudaGraphs:
    """CUDA graphs of a function of tensors, one for every shape that it was called on.

    Decoding step by step starts some hundred kernels per keypoint that each take a few
    microseconds, less than it takes Python to start them. A graph starts all of them at
    once. The function must not read a value back to the CPU, and what it does must
    depend on nothing but the key and the tensors' shapes.

    All graphs share one pool of memory: they run one after the other, and their results
    are copied out before the next one runs. A plain object: it never enters a
    checkpoint, and its copy starts out empty.

    Args:
        capacity: graphs kept; the one unused for longest goes first.
    """

    def __init__(self, capacity: int = 16) -> None:
        self.capacity = capacity
        self._captured: OrderedDict[Hashable, CapturedGraph] = OrderedDict()
        self._pool: tuple[int, int] | None = None

    def __reduce__(self) -> tuple:
        return type(self), (self.capacity,)

    def __deepcopy__(self, memo: dict) -> CudaGraphs:
        return type(self)(self.capacity)

    def __len__(self) -> int:
        return len(self._captured)

    def run(
        self, function: Callable[..., Results], tensors: Tensors, key: Hashable
    ) -> Results:
        """The function's results, by replay; no gradient is recorded.

        Args:
            function: called with the tensors the first time only.
            tensors: all on one GPU.
            key: what the function depends on beside the tensors, for instance the
                addresses of its weights.
        """
        precision = (torch.is_autocast_enabled(), torch.get_autocast_gpu_dtype())
        shapes = tuple((t.shape, t.dtype, t.device) for t in tensors)
        whole_key = (key, precision, shapes)
        captured = self._captured.pop(whole_key, None)
        if captured is None:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            captured = capture(function, tensors, self._pool)
        self._captured[whole_key] = captured
        while len(self._captured) > self.capacity:
            self._captured.popitem(last=False)
        return captured.replay(tensors)


def capture(
    function: Callable[..., Results],
    tensors: Tensors,
    pool: tuple[int, int] | None = None,
) -> CapturedGraph:
    """Record what a function does on the GPU.

    Args:
        function: see :meth:`CudaGraphs.run`.
        tensors: examples of its arguments.
        pool: memory shared with other graphs.
    """
    with torch.inference_mode(False), torch.no_grad(), torch.cuda.device_of(tensors[0]):
        # not inference tensors: a later call may write to them outside of that mode
        inputs = tuple(tensor.clone() for tensor in tensors)
        graph, outputs = record(lambda: tuple(function(*inputs)), pool)
    return CapturedGraph(graph, inputs, outputs)


def record(
    work: Callable[[], Result], pool: tuple[int, int] | None = None
) -> tuple[torch.cuda.CUDAGraph, Result]:
    """Record the kernels that a piece of work starts, after two trial runs.

    Args:
        work: always uses the same memory for its inputs.
        pool: memory shared with other graphs.

    Returns:
        The graph, and what the work returned: memory that every replay writes to.
    """
    current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
    aside.wait_stream(current)
    with torch.cuda.stream(aside):  # libraries allocate and choose on their first calls
        for _ in range(2):
            work()
    current.wait_stream(aside)
    # weights that autocast has cast before would be read from memory that it frees, and
    # those that it casts now lie in the graph's own memory
    torch.clear_autocast_cache()
    graph = torch.cuda.CUDAGraph()
    # other threads may pin memory for the data loader meanwhile
    with torch.cuda.graph(
        graph, pool=pool, stream=aside, capture_error_mode='thread_local'
    ):
        result = work()
    torch.clear_autocast_cache()
    return graph, result
