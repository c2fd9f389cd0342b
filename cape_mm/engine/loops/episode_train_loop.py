"""Training by epochs that a resume continues at the very batch, with a look ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from mmengine.dist import get_world_size
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmpose.registry import LOOPS
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, Sampler

BATCHES_KEY = 'batches_per_epoch'
"""Where the length of an epoch is in the message hub."""


@LOOPS.register_module()
class EpisodeTrainLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that continues in the middle of an epoch.

    MMEngine's own begins the epoch of the checkpoint afresh, and trains twice on what
    came before. Here the batches before are left out, without being loaded; with
    ``IterationSeedHook`` a killed and resumed run equals an uninterrupted one, on a
    CPU to the bit.

    On a GPU, the next batch is made ready while the GPU works on the current one, see
    :func:`look_ahead`.

    Convention:
        - checkpoints within an epoch come from ``AtomicCheckpointHook`` with
          ``by_epoch=False``
        - on another number of processes, or with another length of the epoch, an epoch
          has other batches: it begins afresh, and a warning says so

    Attributes:
        first_batch: index of the first batch of the running epoch, 0 except in the
            epoch in which a resumed training begins.
    """

    first_batch = 0

    def run(self):
        """Train; see :class:`mmengine.runner.EpochBasedTrainLoop`."""
        self.first_batch = self._find_first_batch()
        self.runner.message_hub.update_info(BATCHES_KEY, self._epoch_size)
        return super().run()

    def run_epoch(self) -> None:
        """Train for one epoch, or for the rest of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        if self.first_batch:
            # where no batch is left, nothing else says which was the last
            self.runner.message_hub.update_info('iter', self._iter - 1)
        with self.batches() as batches:
            for idx, data_batch in enumerate(batches, self.first_batch):
                self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self.first_batch = 0
        self._epoch += 1

    @contextmanager
    def batches(self) -> Iterator[Iterator[Any]]:
        """What is left of the epoch, to be used up inside."""
        trained = self.runner.model, self.runner.optim_wrapper
        with (
            skipped_batches(self.dataloader, self.first_batch) as rest,
            look_ahead(rest, *trained) as ahead,
        ):
            yield ahead

    @property
    def _epoch_size(self) -> list[int]:
        return [len(self.dataloader), get_world_size()]

    def _find_first_batch(self) -> int:
        num_batches = len(self.dataloader)
        num_done = self._iter - self._epoch * num_batches
        stored = self.runner.message_hub.runtime_info.get(BATCHES_KEY)
        if self._iter and stored is not None and list(stored) != self._epoch_size:
            self.runner.logger.warning(
                f'resume: an epoch had {stored[0]} batches on each of {stored[1]} '
                f'processes and now has {num_batches} on each of {get_world_size()}: '
                f'epoch {self._epoch + 1} begins at its first batch'
            )
            return 0
        if 0 < num_done <= num_batches:
            self.runner.logger.info(
                f'resume: epoch {self._epoch + 1} goes on after {num_done} of its '
                f'{num_batches} batches'
            )
            return num_done
        return 0


class _LaterSampler(Sampler):
    """The rest of a sampler's epoch; its length is that of the whole epoch."""

    def __init__(self, sampler: Sampler, num_skipped: int) -> None:
        self.sampler = sampler
        self.num_skipped = num_skipped

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self.sampler), self.num_skipped, None)

    def __len__(self) -> int:
        return len(self.sampler)


@contextmanager
def skipped_batches(loader: DataLoader, num_skipped: int) -> Iterator[Iterator[Any]]:
    """The batches of an epoch without the first ones.

    Nothing is loaded for those where the loader's batches are PyTorch's own slices of
    a sampler; otherwise they are loaded and dropped.

    Args:
        loader: its length stays that of the whole epoch.
        num_skipped: how many batches to leave out.

    Yields:
        An iterator over the other batches, to be used up inside.
    """
    batches = loader.batch_sampler
    if num_skipped == 0:
        yield iter(loader)
    elif type(batches) is not BatchSampler:
        yield islice(iter(loader), num_skipped, None)
    else:
        whole = batches.sampler
        batches.sampler = _LaterSampler(whole, num_skipped * batches.batch_size)
        try:
            yield iter(loader)
        finally:
            batches.sampler = whole


class TrainingProgress(NamedTuple):
    """Finished epochs, or finished iterations of a training without epochs."""

    unit: str
    done: int
    total: int

    def __str__(self) -> str:
        return f'{self.unit} {self.done}'


def training_progress(runner: Runner) -> TrainingProgress | None:
    """How far a runner's training is; None where nothing is trained.

    Looking at ``runner.epoch`` itself would build the training data of a validation.
    """
    loop = runner._train_loop
    if not isinstance(loop, BaseLoop):
        return None
    if isinstance(loop, IterBasedTrainLoop):
        return TrainingProgress('iteration', loop.iter, loop.max_iters)
    return TrainingProgress('epoch', loop.epoch, loop.max_epochs)


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

    On a CPU, for a data preprocessor without ``prepare_ahead`` and without an optimiser
    batches stay what they are.

    Args:
        batches: collated batches.
        model: the trained model, wrapped or not.
        wrapper: its optimiser.

    Yields:
        The batches.
    """
    inner = model.module if is_model_wrapper(model) else model
    prepare = getattr(inner.data_preprocessor, 'prepare_ahead', None)
    if prepare is None or wrapper is None or not next(inner.parameters()).is_cuda:
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
