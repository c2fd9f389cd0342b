"""Checkpoints that a kill at any moment leaves usable."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import all_gather_object, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS

from ...errors import CheckpointWriteError
from ...utils.atomic_write import remove_partial_files, write_text_atomically
from ..checkpoint_backend import BACKEND_NAME, LateRemoval
from ..optim import merge_saved_groups
from ..random_states import generator_states, states_to_text

RNG_KEY = 'generator_states'
"""Where the states of all ranks' generators are in the message hub."""
OUTDATED_KEY = 'outdated_ckpt_ids'
OUTDATED_BEST_KEY = 'outdated_best_ckpts'
POINTER_NAME = 'last_checkpoint'


def is_window_closed(optim_wrapper: OptimWrapper | OptimWrapperDict) -> bool:
    """Whether no gradient is pending: the last micro-batch completed a window."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        return all(is_window_closed(wrapper) for _, wrapper in optim_wrapper.items())
    return optim_wrapper.should_update()


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """``CheckpointHook`` whose work directory can be resumed whenever it was killed.

    A checkpoint is written beside, synchronised with the disk and renamed; then
    ``last_checkpoint`` is, in the same way; only then older ones are removed. The same
    holds for the best checkpoints. Files that a killed run left half written, or
    had no time to remove, are removed at the next start.

    Convention:
        - ``by_epoch=False`` saves at the end of the accumulation window in which
          ``interval`` falls, because gradients of an open one are in no checkpoint
        - the states of PyTorch's generators on all ranks are saved too; with
          ``EpisodeTrainLoop`` a training goes on in the middle of an epoch
        - of paths in a checkpoint that is resumed from, only the file names count: a
          work directory can be moved, and a crafted checkpoint names no other files
        - a folder that is not local is written by MMEngine's own backend

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
        resumed = runner.message_hub.runtime_info
        keep_ids_only(resumed, 'keep_ckpt_ids', OUTDATED_KEY)
        super().before_train(runner)
        # without it MMEngine does not tell the resumed checkpoint of a new best one
        self.last_ckpt = resumed.get('last_ckpt')
        self._stay_in_folder(runner)
        if is_main_process() and isinstance(self.file_backend, LocalBackend):
            remove_partial_files(self.out_dir, '*.pth')
            remove_partial_files(runner.work_dir, POINTER_NAME)
            kept = set(getattr(self, 'keep_ckpt_ids', ()))
            outdated = resumed.get(OUTDATED_KEY) or []
            self._remove([self._path(step) for step in outdated if step not in kept])
            self._remove_outdated_best(resumed.get(OUTDATED_BEST_KEY))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Bring an optimizer state with a group per tensor into the run's groups."""
        wrapper = getattr(runner, 'optim_wrapper', None)
        if isinstance(wrapper, OptimWrapper):
            states = merge_saved_groups(checkpoint, runner.model, wrapper.optimizer)
            checkpoint.update(states)

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
        if self._is_due and is_window_closed(runner.optim_wrapper):
            self._is_due = False
            runner.logger.info(f'Saving checkpoint at {runner.iter + 1} iterations')
            self._save_checkpoint(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save, then point at it, then remove the outdated; on all ranks."""
        path, hub = self._path(step), runner.message_hub
        kept, outdated = self._sort_out(step)
        if self.max_keep_ckpts > 0:
            hub.update_info('keep_ckpt_ids', kept)
            hub.update_info(OUTDATED_KEY, outdated)
        hub.update_info('last_ckpt', path)
        if isinstance(self.file_backend, LateRemoval):
            hub.update_info(OUTDATED_BEST_KEY, self.file_backend.names)
        states = all_gather_object(states_to_text(generator_states()))
        hub.update_info(RNG_KEY, states)
        with self._explain_failure(path):
            runner.save_checkpoint(
                self.out_dir,
                Path(path).name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            self._point_at(runner, path)
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
        self.last_ckpt = path
        self._remove([self._path(old) for old in outdated])

    def _save_best_checkpoint(self, runner: Runner, metrics: Mapping) -> None:
        """Save the best checkpoint, then remove the one that was the best."""
        backend = self.file_backend
        self.file_backend = LateRemoval(backend)
        try:
            with self._explain_failure('of the best metric'):
                super()._save_best_checkpoint(runner, metrics)
            outdated = self.file_backend.paths
        finally:
            self.file_backend = backend
        self._remove([path for path in outdated if path not in self._best_paths()])

    def _sort_out(self, step: int) -> tuple[list[int], list[int]]:
        """Steps of the checkpoints to keep with a new one, and of those to remove."""
        if self.max_keep_ckpts <= 0:
            return [], []
        steps = [old for old in self.keep_ckpt_ids if old != step] + [step]
        return steps[-self.max_keep_ckpts :], steps[: -self.max_keep_ckpts]

    def _path(self, step: int) -> str:
        return self.file_backend.join_path(
            self.out_dir, self.filename_tmpl.format(step)
        )

    def _point_at(self, runner: Runner, path: str) -> None:
        if is_main_process():
            pointer = Path(runner.work_dir) / POINTER_NAME
            write_text_atomically(pointer, path, durable=True)

    def _remove(self, paths: list[str]) -> None:
        if not is_main_process():
            return
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # deepspeed's checkpoints are folders
                self.file_backend.rmtree(path)

    def _remove_outdated_best(self, stored: object) -> None:
        """Remove best checkpoints that a killed run had replaced already."""
        names = stored if isinstance(stored, list) else []
        paths = [
            self.file_backend.join_path(self.out_dir, Path(str(name)).name)
            for name in names
            if Path(str(name)).name.startswith('best_')
        ]
        self._remove([path for path in paths if path not in self._best_paths()])

    def _best_paths(self) -> list[str | None]:
        if not self.save_best:
            return []
        if len(self.key_indicators) == 1:
            return [self.best_ckpt_path]
        return list(self.best_ckpt_path_dict.values())

    def _stay_in_folder(self, runner: Runner) -> None:
        """Look for the best checkpoints of a resumed run here, wherever they were."""
        if not self.save_best:
            return
        hub = runner.message_hub
        for key in [key for key in hub.runtime_info if key.startswith('best_ckpt')]:
            name = Path(str(hub.get_info(key))).name
            hub.update_info(key, self.file_backend.join_path(self.out_dir, name))
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = hub.runtime_info.get('best_ckpt')
            return
        for metric in self.key_indicators:
            path = hub.runtime_info.get(f'best_ckpt_{metric}')
            self.best_ckpt_path_dict[metric] = path

    @contextmanager
    def _explain_failure(self, path: str) -> Iterator[None]:
        try:
            yield
        except CheckpointWriteError:
            raise
        except OSError as error:
            last = self.last_ckpt or 'none of this run'
            raise CheckpointWriteError(
                f'checkpoint {path} could not be written to {self.out_dir}: '
                f'{error.strerror or error}. The last complete checkpoint is as it '
                f'was: {last}. Make room, or mend the folder, and go on from there '
                f'with --resume.'
            ) from error


def keep_ids_only(runtime_info: dict, *keys: str) -> None:
    """Drop entries of these lists that are no step numbers."""
    for key in keys:
        if key in runtime_info:
            stored = runtime_info[key]
            steps = stored if isinstance(stored, (list, tuple)) else []
            runtime_info[key] = [step for step in steps if type(step) is int]


def resumed_generator_states(runner: Runner) -> list[dict[str, str]] | None:
    """States of all ranks' generators at the checkpoint that a run was resumed from.

    None in a new run, and where training has no epochs: MMEngine's own loop there
    draws its data anew.
    """
    if not runner._resume or isinstance(runner._train_loop, IterBasedTrainLoop):
        return None
    return runner.message_hub.runtime_info.get(RNG_KEY)
