"""Checkpoints that survive a kill, and resumes that equal an uninterrupted training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from mmengine.dist import get_rank, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ...compat.stored_config import store_config
from ...errors import CheckpointWriteError
from ...utils.atomic_write import remove_partial_files, write_bytes_atomically
from ..loops.episode_train_loop import training_progress

BACKEND_NAME = 'atomic_local'


class AtomicLocalBackend(LocalBackend):
    """``LocalBackend`` that writes beside, waits for the disk and renames.

    What it is to remove goes only once the next file is there: MMEngine removes the
    outdated checkpoint first.
    """

    _outdated: ClassVar[list[str]] = []  # MMEngine makes an instance for every write

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file; an older one of that name is there until the new one is.

        Raises:
            CheckpointWriteError: the file can not be written; all others are as they
                were.
        """
        outdated, self._outdated[:] = [*self._outdated], []
        try:
            write_bytes_atomically(filepath, obj)
        except OSError as error:
            raise CheckpointWriteError(
                f'{filepath} could not be written: {error.strerror or error}. The '
                f'checkpoints before it are as they were. Make room, or mend the '
                f'folder, and go on from the last of them with --resume.'
            ) from error
        for path in outdated:
            if path != str(filepath):
                with suppress(FileNotFoundError):
                    os.remove(path)

    def remove(self, filepath: str | Path) -> None:
        """Remove a file after the next one has been written."""
        self._outdated.append(str(filepath))


register_backend(BACKEND_NAME, AtomicLocalBackend, force=True)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """``CheckpointHook`` whose work directory can be resumed whenever it was killed.

    Files are written by :class:`AtomicLocalBackend`, unless ``backend_args`` or a
    folder that is not local asks for another one. What a killed run left half written,
    or had no time to remove, goes at the next start.

    Convention:
        - ``by_epoch=False`` saves at the end of the accumulation window in which
          ``interval`` falls, because gradients of an open one are in no checkpoint
        - of paths in a checkpoint that is resumed from, only the file names count: a
          work directory can be moved, and a crafted checkpoint names no other files

    Args:
        **kwargs: arguments of :class:`mmengine.hooks.CheckpointHook`.

    Raises:
        CheckpointWriteError: the disk is full or the like; while training.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._is_due = False

    def before_train(self, runner: Runner) -> None:
        """Choose the backend, and tidy up what a killed run left."""
        folder = str(self.out_dir or runner.work_dir)
        if self.backend_args is None and '://' not in folder:
            self.backend_args = dict(backend=BACKEND_NAME)
        facts = runner.message_hub.runtime_info
        kept = facts.get('keep_ckpt_ids')
        if kept is not None:
            steps = kept if isinstance(kept, (list, tuple)) else ()
            facts['keep_ckpt_ids'] = [step for step in steps if type(step) is int]
        super().before_train(runner)
        for key in [key for key in facts if key.startswith(('best_ckpt', 'last_ckpt'))]:
            name = Path(str(facts[key])).name
            facts[key] = self.file_backend.join_path(self.out_dir, name)
        # without it MMEngine does not tell the resumed checkpoint of a new best one
        self.last_ckpt = facts.get('last_ckpt')
        if self.save_best and len(self.key_indicators) == 1:
            self.best_ckpt_path = facts.get('best_ckpt')
        elif self.save_best:
            for metric in self.key_indicators:
                path = facts.get(f'best_ckpt_{metric}')
                self.best_ckpt_path_dict[metric] = path
        if is_main_process() and isinstance(self.file_backend, LocalBackend):
            remove_partial_files(self.out_dir, '*.pth')
            self._remove_outdated()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what prediction needs of the config."""
        store_config(checkpoint['meta'], runner.cfg)

    def _remove_outdated(self) -> None:
        """Remove checkpoints before the oldest that is kept."""
        if self.max_keep_ckpts <= 0 or not self.keep_ckpt_ids:
            return
        start, end = self.filename_tmpl.split('{}')
        for path in Path(self.out_dir).glob(f'{start}*{end}'):
            step = path.name.removeprefix(start).removesuffix(end)
            if step.isdecimal() and int(step) < min(self.keep_ckpt_ids):
                path.unlink(missing_ok=True)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Mapping | None = None,
        outputs: Mapping | None = None,
    ) -> None:
        """Save where ``interval`` falls in the accumulation window that ends here."""
        if self.by_epoch:
            return
        is_last = self.save_last and self.is_last_train_iter(runner)
        if is_last or self.every_n_train_iters(runner, self.interval, self.save_begin):
            self._is_due = True
        if self._is_due and runner.optim_wrapper.should_update():
            self._is_due = False
            runner.logger.info(f'Saving checkpoint at {runner.iter + 1} iterations')
            self._save_checkpoint(runner)


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
    epoch, and a resume would lose it: the count of early stopping, and after a kill
    within the validation perhaps the best checkpoint.

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
