"""Training by epochs that a resume continues at the very batch."""

from __future__ import annotations

from mmengine.dist import get_rank, get_world_size
from mmengine.runner import EpochBasedTrainLoop
from mmpose.registry import LOOPS

from ..batch_lookahead import look_ahead, preparable
from ..hooks.atomic_checkpoint_hook import resumed_generator_states
from ..random_states import set_generator_states
from .skipped_batches import skipped_batches

BATCHES_KEY = 'batches_per_epoch'
"""Where the length of an epoch is in the message hub."""


@LOOPS.register_module()
class EpisodeTrainLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that continues in the middle of an epoch.

    MMEngine's own begins the epoch of the checkpoint afresh, and trains twice on what
    came before. Here the batches before are left out, without being loaded, and
    PyTorch's generators are put where they were, so that on a CPU a killed and resumed
    run equals an uninterrupted one to the bit.

    On a GPU, the next batch is made ready while the GPU works on the current one, see
    :func:`~cape_mm.engine.batch_lookahead.look_ahead`.

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
        with skipped_batches(self.dataloader, self.first_batch) as batches:
            if self.first_batch:
                self._restore_generators()  # the iterator drew its workers' seeds
                # where no batch is left, nothing else says which was the last
                self.runner.message_hub.update_info('iter', self._iter - 1)
            batches = preparable(batches, self.runner.model)
            with look_ahead(batches, self.runner.optim_wrapper):
                for idx, data_batch in enumerate(batches, self.first_batch):
                    self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self.first_batch = 0
        self._epoch += 1

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

    def _restore_generators(self) -> None:
        states = resumed_generator_states(self.runner)
        if states is not None and len(states) == get_world_size():
            set_generator_states(states[get_rank()])
