"""A killed and resumed training equals an uninterrupted one."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ..loops.episode_train_loop import training_progress

VALIDATED_KEY = 'last_validated'
"""Where the last validated epoch (or iteration) is in the message hub."""


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed PyTorch's generators before every iteration from (seed, iteration, rank).

    Checkpoints do not hold the states of generators: the model's own choices (noise on
    the history, order of decoding, dropout) depend on where the training is alone. The
    data need no such help: an episode carries its seed. Every rank draws differently,
    as every rank has episodes of its own.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Seed the generators of the CPU and of this process's GPU."""
        entropy = [runner.seed, runner.iter, get_rank()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_available():
            torch.cuda.manual_seed(seed)


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validate at a resume if the checkpoint was saved before its epoch's validation.

    MMEngine saves an epoch's checkpoint, then validates, and saves again only where the
    best metric has changed. So most checkpoints don't know the validation of their own
    epoch, and a resume would lose it: the count of early stopping, the moving average,
    and after a kill within the validation perhaps the best checkpoint.

    The validation is the usual one, with all its hooks, before the next epoch; it
    happens only at a resume.
    """

    priority = 'LOWEST'  # every other hook is ready when it validates

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note the counts that were current when the checkpoint was saved."""
        known = checkpoint.get('message_hub', {}).get('runtime_info', {})
        self._counts = {key: known[key] for key in ('epoch', 'iter') if key in known}

    def before_train(self, runner: Runner) -> None:
        """Validate where a validation was due and is not known."""
        progress = training_progress(runner)
        if not progress.done or runner.val_loop is None or not _is_due(runner):
            return
        if runner.message_hub.runtime_info.get(VALIDATED_KEY) == progress.done:
            return
        runner.logger.info(
            f'resume: the checkpoint of {progress} was saved before its validation, '
            f'which is done now'
        )
        # a checkpoint that is saved with the result says what it would have said then
        for key, count in self._counts.items():
            runner.message_hub.update_info(key, count)
        runner.val_loop.run()

    def before_val_epoch(self, runner: Runner) -> None:
        """Note it now: no checkpoint is saved before the metrics are known."""
        progress = training_progress(runner)
        if progress is not None:
            runner.message_hub.update_info(VALIDATED_KEY, progress.done)


def _is_due(runner: Runner) -> bool:
    """Whether the training loop validates at this point."""
    loop, progress = runner.train_loop, training_progress(runner)
    loop._decide_current_val_interval()
    is_last = progress.done == progress.total
    return progress.done >= loop.val_begin and (
        is_last or progress.done % loop.val_interval == 0
    )
