"""Go on after a loss or gradient that is no number, a few times, and say where."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.dist import all_gather_object, get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from cape_mm.engine.bad_step_file import (
    BadStep,
    BatchRecord,
    record_episodes,
    write_bad_step,
)
from cape_mm.engine.optim import MicroBatch, UpdateGuard
from cape_mm.engine.random_states import generator_states, states_to_text
from cape_mm.errors import TrainingDivergedError
from cape_mm.utils.atomic_write import write_bytes_atomically

COUNT_KEY = 'bad_steps'
"""Where the message hub keeps the counts, so that checkpoints have them."""


class _Batch(NamedTuple):
    """A micro-batch without its images."""

    iteration: int
    samples: object
    generators: Mapping[str, torch.Tensor]


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Skip updates from a NaN or infinite loss or gradient; stop when there are many.

    The whole accumulation window is dropped, on all ranks, before it reaches the
    weights (see :class:`~cape_mm.engine.optim.UpdateGuard`, also for the cost). The
    episodes that caused it are logged and written to ``bad_steps/iter_<N>.json`` in the
    work directory, the weights beside the first of them: ``tools/replay_episode.py``
    runs exactly these batches again.

    Convention:
        - the cause is a micro-batch with a bad loss; without one, the first after which
          the gradient was bad; where only the sum over the ranks was, all last ones
        - the counts are part of the checkpoints: a resumed run has no new allowance
        - BatchNorm layers that are not frozen have seen the batch by then: their
          running statistics are not taken back
        - several optimizers (``OptimWrapperDict``) are not guarded; this is logged

    Args:
        max_bad_steps: skipped updates of a run; one more stops it.
        max_consecutive: skipped updates in a row; one more stops it.
        save_weights: write the weights at the first skipped update of a process.

    Raises:
        TrainingDivergedError: more updates were bad.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self,
        max_bad_steps: int = 10,
        max_consecutive: int = 5,
        save_weights: bool = True,
    ) -> None:
        if min(max_bad_steps, max_consecutive) < 0:
            raise ValueError(
                f'max_bad_steps and max_consecutive must be at least 0, got '
                f'{max_bad_steps} and {max_consecutive}'
            )
        self.max_bad_steps = max_bad_steps
        self.max_consecutive = max_consecutive
        self.save_weights = save_weights
        self._weights_file = ''
        self._guard: UpdateGuard | None = None

    def before_train(self, runner: Runner) -> None:
        """Guard the optimizer wrapper."""
        total, in_a_row = runner.message_hub.runtime_info.get(COUNT_KEY) or (0, 0)
        self._total, self._in_a_row = total, in_a_row
        if isinstance(runner.optim_wrapper, OptimWrapperDict):
            runner.logger.warning('FiniteLossHook: several optimizers are not guarded')
            return
        self._guard = UpdateGuard(
            runner.optim_wrapper,
            on_skip=lambda window: self._skip(runner, window),
            on_update=lambda: self._count(runner, self._total, 0),
        )
        self._guard.install()

    def after_train(self, runner: Runner) -> None:
        """Give the optimizer wrapper its own functions back."""
        if self._guard is not None:
            self._guard.remove()
            self._guard = None

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Mapping | None = None
    ) -> None:
        """Remember the batch's episodes and where the generators are."""
        if self._guard is None:
            return
        is_mapping = isinstance(data_batch, Mapping)
        samples = data_batch.get('data_samples') if is_mapping else None
        self._guard.open(_Batch(runner.iter + 1, samples, generator_states()))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Mapping | None = None,
        outputs: Mapping | None = None,
    ) -> None:
        """Publish the count for the log."""
        hub = runner.message_hub
        hub.update_scalar('train/bad_steps', self._total, resumed=False)

    def _count(self, runner: Runner, total: int, in_a_row: int) -> None:
        if (total, in_a_row) != (self._total, self._in_a_row):
            self._total, self._in_a_row = total, in_a_row
            runner.message_hub.update_info(COUNT_KEY, (total, in_a_row))

    def _skip(self, runner: Runner, window: list[MicroBatch]) -> None:
        """Report an update that was skipped, and stop if it was one too many."""
        self._count(runner, self._total + 1, self._in_a_row + 1)
        own = describe_window(window)
        # every rank comes here: the gradient is the same on all of them
        gathered = [record for part in all_gather_object(own) for record in part]
        step = BadStep(
            epoch=runner.epoch + 1,
            iteration=runner.iter + 1,
            config=str(runner.cfg.filename or ''),
            optim_wrapper=type(runner.optim_wrapper).__name__,
            weights=self._save_weights(runner),
            batches=tuple(gathered),
        )
        text = self._describe(step, self._save(runner, step))
        is_over = (
            self._total > self.max_bad_steps or self._in_a_row > self.max_consecutive
        )
        if is_over:
            raise TrainingDivergedError(f'{text} {self._describe_end()}')
        runner.logger.warning(f'{text} The weights are untouched; training goes on.')

    def _describe(self, step: BadStep, path: Path | None) -> str:
        suspects = '; '.join(map(str, step.suspects()))
        text = (
            f'epoch {step.epoch}, iteration {step.iteration}: the update was skipped '
            f'because its loss or gradient is NaN or infinite (skipped so far: '
            f'{self._total} of at most {self.max_bad_steps}, {self._in_a_row} in a row '
            f'of at most {self.max_consecutive}). {suspects}.'
        )
        if path is None:
            return text
        words = ('python tools/replay_episode.py', path, step.config, step.weights)
        return f'{text} To run it again: {" ".join(str(w) for w in words if w)} .'

    def _describe_end(self) -> str:
        return (
            'That is one too many. Lower optim_wrapper.optimizer.lr, keep '
            'optim_wrapper.clip_grad, or repair the data; FiniteLossHook.max_bad_steps '
            'and max_consecutive allow more. The last checkpoint is unharmed.'
        )

    def _save(self, runner: Runner, step: BadStep) -> Path | None:
        """Write the record on the main process; training does not depend on it."""
        path = self._folder(runner) / f'iter_{step.iteration:07d}.json'
        try:
            return write_bad_step(step, path) if is_main_process() else path
        except OSError as error:
            runner.logger.warning(f'{path} could not be written: {error}')
            return None

    def _save_weights(self, runner: Runner) -> str:
        """Write the weights once."""
        if not self.save_weights or self._weights_file:
            return self._weights_file
        path = self._folder(runner) / f'weights_iter_{runner.iter + 1:07d}.pth'
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        try:
            if is_main_process():
                content = io.BytesIO()
                torch.save(dict(state_dict=model.state_dict()), content)
                write_bytes_atomically(path, content.getbuffer(), durable=False)
        except OSError as error:
            runner.logger.warning(f'{path} could not be written: {error}')
            return ''
        self._weights_file = str(path)
        return self._weights_file

    def _folder(self, runner: Runner) -> Path:
        return Path(runner.work_dir) / 'bad_steps'


def describe_window(window: Sequence[MicroBatch]) -> list[BatchRecord]:
    """Records of a rank's micro-batches, with what is wrong with each.

    A gradient only ever gets worse within a window, so one micro-batch at most is the
    first after which it was bad. The last one's own gradient is not known.
    """
    bad_losses = [entry.has_bad_loss() for entry in window]
    bad_gradients = [entry.has_bad_gradient() for entry in window]
    problems = ['bad loss' if is_bad else '' for is_bad in bad_losses]
    if not any(bad_losses) and any(bad_gradients):
        problems[bad_gradients.index(True)] = 'finite loss, bad gradient'
    return [
        BatchRecord(
            rank=get_rank(),
            iteration=entry.batch.iteration,
            problem=problem,
            loss='' if entry.loss is None else f'{float(entry.loss):.9g}',
            generators=states_to_text(entry.batch.generators),
            episodes=tuple(record_episodes(entry.batch.samples)),
        )
        for entry, problem in zip(window, problems)
    ]
