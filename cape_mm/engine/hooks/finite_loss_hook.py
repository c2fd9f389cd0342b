"""Go on after a NaN or infinite loss or gradient, a few times, and say where it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ...errors import TrainingDivergedError
from ...structures import EpisodeDataSample, PackedSamples
from ...utils.value_checks import check_at_least
from ..optim import MicroBatch, UpdateGuard

COUNT_KEY = 'bad_steps'
"""Where the message hub keeps the counts, so that checkpoints have them."""
NUM_SHOWN = 4
"""Episodes that the message names."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Skip updates from a NaN or infinite loss or gradient; stop when there are many.

    The whole accumulation window is dropped, on all ranks, before it reaches the
    weights (see :class:`~cape_mm.engine.optim.UpdateGuard`, also for the cost). The
    episodes of the micro-batches whose loss was bad, or of the whole window where only
    the gradient was, are logged with their annotations and files.

    Convention:
        - the counts are part of the checkpoints: a resumed run has no new allowance
        - BatchNorm layers that are not frozen have seen the batch by then: their
          running statistics are not taken back

    Args:
        max_bad_steps: skipped updates of a run; one more stops it.
        max_consecutive: skipped updates in a row; one more stops it.

    Raises:
        TrainingDivergedError: more updates were bad.
    """

    priority = 'VERY_HIGH'

    def __init__(self, max_bad_steps: int = 10, max_consecutive: int = 5) -> None:
        check_at_least('max_bad_steps', max_bad_steps, 0)
        check_at_least('max_consecutive', max_consecutive, 0)
        self.max_bad_steps = max_bad_steps
        self.max_consecutive = max_consecutive

    def before_train(self, runner: Runner) -> None:
        """Guard the optimizer wrapper."""
        total, in_a_row = runner.message_hub.runtime_info.get(COUNT_KEY) or (0, 0)
        self._total, self._in_a_row = total, in_a_row
        self._guard = UpdateGuard(
            runner.optim_wrapper,
            on_skip=lambda window: self._skip(runner, window),
            on_update=lambda: self._count(runner, self._total, 0),
        )
        self._guard.install()

    def after_train(self, runner: Runner) -> None:
        """Give the optimizer wrapper its own functions back."""
        self._guard.remove()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Mapping | None = None
    ) -> None:
        """Remember the batch's episodes."""
        self._guard.open((runner.iter + 1, data_batch['data_samples']))

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
        # every rank comes here: the gradient is the same on all of them
        gathered = all_gather_object(describe_window(window))
        has_bad_loss = any(is_bad for is_bad, _, _ in gathered)
        told = [part for part in gathered if part[0] or not has_bad_loss]
        episodes = [name for _, _, names in told for name in names]
        named = '; '.join(episodes[:NUM_SHOWN]) or 'data without episodes'
        if len(episodes) > NUM_SHOWN:
            named += f'; and {len(episodes) - NUM_SHOWN} more'
        text = (
            f'epoch {runner.epoch + 1}, iteration {runner.iter + 1}: the update was '
            f'skipped because its loss or gradient is NaN or infinite (skipped so far: '
            f'{self._total} of at most {self.max_bad_steps}, {self._in_a_row} in a row '
            f'of at most {self.max_consecutive}). '
            f'{"; ".join(text for _, text, _ in told)}: {named}.'
        )
        if self._total > self.max_bad_steps or self._in_a_row > self.max_consecutive:
            raise TrainingDivergedError(
                f'{text} That is one too many. Lower optim_wrapper.optimizer.lr, keep '
                f'optim_wrapper.clip_grad, or repair the data; '
                f'FiniteLossHook.max_bad_steps and max_consecutive allow more. The '
                f'last checkpoint is unharmed.'
            )
        runner.logger.warning(f'{text} The weights are untouched; training goes on.')


def describe_window(window: Sequence[MicroBatch]) -> tuple[bool, str, list[str]]:
    """What a rank knows of a skipped window.

    Returns:
        Whether a loss was bad, the bad micro-batches (all, if none has a bad loss) as
        text, and their episodes as texts.
    """
    bad = [one for one in window if one.has_bad_loss()]
    chosen = bad or window
    iterations = ', '.join(str(one.batch[0]) for one in chosen)
    problem = 'bad loss' if bad else 'finite loss, bad gradient'
    text = f'rank {get_rank()}, iteration {iterations}, {problem}'
    episodes = [found for one in chosen for found in name_episodes(one.batch[1])]
    return bool(bad), text, episodes


def name_episodes(samples: object) -> Iterator[str]:
    """The episodes of a batch's data samples; none of data of another kind."""
    for sample in samples if isinstance(samples, (Sequence, PackedSamples)) else ():
        if not isinstance(sample, EpisodeDataSample) or 'episode' not in sample:
            continue
        # as they were loaded: some may stand in for those of the episode
        loaded = [sample.support_instances.ann_ids, sample.gt_instances.ann_ids]
        files = ', '.join((*sample.support_img_paths, *sample.query_img_paths))
        yield (
            f'category {sample.episode.category_id} ({sample.category_name}), episode '
            f'{sample.episode.index}: annotations {torch.cat(loaded).tolist()} in '
            f'{files}'
        )
