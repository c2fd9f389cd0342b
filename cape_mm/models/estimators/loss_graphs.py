"""Training steps replayed as CUDA graphs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import compress

import torch
from mmengine.logging import print_log
from torch import nn
from torch.func import functional_call

from ..layers import record

Losses = dict[str, torch.Tensor]


@dataclass
class ReplayCount:
    """Replays of all graphs that share their working memory."""

    number: int = 0


@dataclass
class CapturedLoss:
    """Forward and backward pass of one batch shape, recorded together.

    Attributes:
        graph: reads ``inputs``, writes ``losses`` and ``gradients``.
        inputs: the graph's own inputs.
        losses: scalars by name.
        gradients: of the losses' sum, one for every parameter that has one.
        has_gradient: which of the trainable parameters those are.
        replays: tells whether the gradients are still those of a given replay; shared
            with every graph that may write over them.
    """

    graph: torch.cuda.CUDAGraph
    inputs: tuple[torch.Tensor, ...]
    losses: Losses
    gradients: tuple[torch.Tensor, ...]
    has_gradient: tuple[bool, ...]
    replays: ReplayCount = field(default_factory=ReplayCount)

    def replay(self, tensors: Sequence[torch.Tensor]) -> None:
        """Run on a new batch of the same shape."""
        for own, given in zip(self.inputs, tensors):
            own.copy_(given)
        self.graph.replay()
        self.replays.number += 1


class ReplayedLoss(torch.autograd.Function):
    """Losses whose gradients are there already when they are asked for.

    Takes the parameters that have a gradient. Distributed data parallel looks which
    ones a loss reaches: the others are out of reach, as without graphs.
    """

    @staticmethod
    def forward(ctx, captured: CapturedLoss, tensors, *parameters):
        captured.replay(tensors)
        ctx.captured, ctx.replay = captured, captured.replays.number
        return tuple(loss.clone() for loss in captured.losses.values())

    @staticmethod
    def backward(ctx, *weights):
        if ctx.replay != ctx.captured.replays.number:
            raise RuntimeError(
                'train_cfg.cuda_graph: the gradients of this loss were overwritten by '
                'a later forward pass. Call backward before the next one.'
            )
        # the losses are added up, so one factor (of accumulation) goes for all; the
        # products are new tensors, as later steps overwrite the graph's own
        return None, None, *torch._foreach_mul(ctx.captured.gradients, weights[0])


class LossGraphs:
    """CUDA graphs of a model's training step, one per batch shape.

    A step starts thousands of small kernels, and starting them from Python takes
    longer than running them unless the batch is large. As a graph, forward and backward
    pass are started at once; the optimiser, its clipping and gradient accumulation stay
    what they are.

    Convention:
        - the losses count by their plain sum, as ``BaseModel.parse_losses`` adds them
        - a batch shape that is one too many runs as it would without graphs; so do
          float16 (its gradients need the scaled loss) and steps on a CPU
        - not together with activation checkpointing

    A plain object: it never enters a checkpoint, and its copy starts out empty.

    Args:
        capacity: graphs kept. They share their working memory.
    """

    def __init__(self, capacity: int = 8) -> None:
        self.capacity = capacity
        self._captured: dict[Hashable, CapturedLoss] = {}
        self._pool = None
        self._replays = ReplayCount()

    def __reduce__(self) -> tuple:
        return type(self), (self.capacity,)

    def __deepcopy__(self, memo: dict) -> LossGraphs:
        return type(self)(self.capacity)

    def run(
        self,
        model: nn.Module,
        function: Callable[..., Losses],
        tensors: Sequence[torch.Tensor],
    ) -> Losses:
        """The losses of a batch.

        Args:
            model: owner of the parameters.
            function: gives the losses by name; must not read a value back to the CPU.
            tensors: its arguments.
        """
        if not _can_replay(model, tensors):
            return function(*tensors)
        parameters = [weight for weight in model.parameters() if weight.requires_grad]
        key = (
            torch.is_autocast_enabled(),
            tuple((tensor.shape, tensor.dtype) for tensor in tensors),
            tuple(weight.data_ptr() for weight in parameters),
        )
        if key not in self._captured:
            if len(self._captured) >= self.capacity:
                self._say_full()
                return function(*tensors)
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            captured = capture(model, function, tensors, self._pool)
            captured.replays = self._replays
            self._captured[key] = captured
        captured = self._captured[key]
        used = compress(parameters, captured.has_gradient)
        losses = ReplayedLoss.apply(captured, tensors, *used)
        return dict(zip(captured.losses, losses))

    def _say_full(self) -> None:
        print_log(
            f'train_cfg.cuda_graph: {self.capacity} batch shapes are recorded; others '
            f'run without a graph. train_dataloader.collate_fn.keypoint_multiple makes '
            f'shapes fewer.',
            logger='current',
            level=logging.DEBUG,
        )


def _can_replay(model: nn.Module, tensors: Sequence[torch.Tensor]) -> bool:
    scales_loss = (
        torch.is_autocast_enabled() and torch.get_autocast_gpu_dtype() == torch.float16
    )
    on_gpu = all(tensor.is_cuda for tensor in tensors)
    return on_gpu and model.training and torch.is_grad_enabled() and not scales_loss


def capture(
    model: nn.Module,
    function: Callable[..., Losses],
    tensors: Sequence[torch.Tensor],
    pool: tuple[int, int] | None = None,
) -> CapturedLoss:
    """Record a forward and a backward pass.

    Args:
        model: owner of the parameters.
        function: see :meth:`LossGraphs.run`.
        tensors: examples of its arguments.
        pool: memory shared with other graphs.
    """
    inputs = tuple(tensor.detach().clone() for tensor in tensors)
    graph, (losses, gradients) = record(
        lambda: compute_gradients(model, function, inputs), pool
    )
    has_gradient = tuple(gradient is not None for gradient in gradients)
    known = tuple(compress(gradients, has_gradient))
    return CapturedLoss(graph, inputs, losses, known, has_gradient)


def compute_gradients(
    model: nn.Module, function: Callable[..., Losses], tensors: Sequence[torch.Tensor]
) -> tuple[Losses, tuple[torch.Tensor | None, ...]]:
    """Losses, and the gradients of their sum, one per trainable parameter.

    Autograd remembers on which stream a parameter was first used and would make that
    one wait, which a recording does not allow. So the model runs with parameters that
    share the memory of its own and are new to autograd.
    """
    twins = {
        f'model.{name}': nn.Parameter(weight.data)
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
    losses = functional_call(_Bound(model, function), twins, tuple(tensors))
    gradients = torch.autograd.grad(
        sum(losses.values()), list(twins.values()), allow_unused=True
    )
    return {name: loss.detach() for name, loss in losses.items()}, gradients


class _Bound(nn.Module):
    """A function as a module that owns the model which the function uses."""

    def __init__(self, model: nn.Module, function: Callable[..., Losses]) -> None:
        super().__init__()
        self.model = model
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> Losses:
        return self.function(*tensors)
