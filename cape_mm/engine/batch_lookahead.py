"""The next batch, made ready while the GPU works on this one.

A training step ends with a wait for the GPU: MMEngine reads the gradient's norm and the
losses. What Python does between that wait and the next step's first kernel leaves the
GPU idle. Here the next batch is fetched, copied and normalised before the wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn


class PreparedBatches:
    """Batches, the next of which can be made ready early.

    Convention:
        - an error of the loader or of ``prepare``, and the end, come when that batch is
          asked for
        - a batch that nobody called :meth:`prepare_next` for comes as it is

    Args:
        batches: collated batches.
        prepare: from such a batch to what is handed out instead.
    """

    def __init__(
        self, batches: Iterator[dict], prepare: Callable[[dict], dict]
    ) -> None:
        self._batches = batches
        self._prepare = prepare
        self._ready: list[dict | Exception] = []

    def __iter__(self) -> Iterator[dict]:
        return self

    def __next__(self) -> dict:
        """The next batch, ready or not."""
        if not self._ready:
            return next(self._batches)
        outcome = self._ready.pop()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def prepare_next(self) -> None:
        """Make the next batch ready, unless it is."""
        if self._ready:
            return
        try:
            self._ready.append(self._prepare(next(self._batches)))
        except Exception as error:  # StopIteration too
            self._ready.append(error)


@contextmanager
def look_ahead(
    batches: Iterator[dict], model: nn.Module, wrapper: OptimWrapper | None
) -> Iterator[Iterator[dict]]:
    """Make every next batch ready once a backward pass has been handed to the GPU.

    On a CPU, for a data preprocessor without ``prepare_ahead``, without an optimiser
    and with several (``OptimWrapperDict``), batches stay what they are.

    Args:
        batches: collated batches.
        model: the trained model, wrapped or not.
        wrapper: its optimiser.

    Yields:
        The batches.
    """
    inner = model.module if is_model_wrapper(model) else model
    prepare = getattr(inner.data_preprocessor, 'prepare_ahead', None)
    is_one = wrapper is not None and not isinstance(wrapper, OptimWrapperDict)
    if prepare is None or not is_one or not next(inner.parameters()).is_cuda:
        yield batches
        return
    prepared = PreparedBatches(batches, prepare)
    own, backward = vars(wrapper).get('backward'), wrapper.backward

    def backward_and_prepare(*args, **kwargs) -> None:
        backward(*args, **kwargs)
        prepared.prepare_next()

    wrapper.backward = backward_and_prepare
    try:
        yield prepared
    finally:
        if own is None:
            del wrapper.backward
        else:
            wrapper.backward = own
