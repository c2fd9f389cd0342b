"""One line per validation: novel and training categories, moving average, floor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ...errors import CapeError, ConfigError
from ..tracking.directions import as_shown
from ..training_progress import training_progress

if TYPE_CHECKING:
    from ..loops.train_side_loop import TrainSideLoop

TRAIN_PREFIX = 'train_side'
AVERAGE_PREFIX = 'moving_average'
FLOOR_PREFIX = 'copy_support'


def format_summary(key: str, values: Mapping[str, float | None]) -> str:
    """``PCK@0.2 novel 61.2 | train 78.4 | ...``; what is None is left out."""
    parts = [
        f'{name} {as_shown(key, value):.1f}'
        for name, value in values.items()
        if value is not None
    ]
    return f'{key} {" | ".join(parts)}'


@HOOKS.register_module()
class ValidationSummaryHook(Hook):
    """Say after every validation how good it is, how sure, and how over-fitted.

    The line ``PCK@0.2 novel 61.2 | train 78.4 | moving average 60.1 | floor 41.4``
    holds the validation categories, the training categories, the mean over the latest
    validations, and what copying the support's keypoints gives. The second and third
    also go to ``scalars.json`` and TensorBoard, as ``train_side/PCK@0.2`` and
    ``moving_average/PCK@0.2``.

    The training categories are evaluated like the validation, on as many fixed
    episodes, without augmentation, with the same (averaged) weights. That costs about
    as much as the validation, more where there are many more categories, since
    every distinct picture passes the backbone. Training is not touched: with or without
    it the weights are the same to the bit.

    Convention:
        - the moving average goes on over a resume
        - the clock of the training speed stands still meanwhile
        - data that can't be evaluated (another kind, too few instances) are no reason
          to stop a training: one warning, and the line goes without

    Args:
        key: the metric.
        window: validations in the moving average.
        train_side_interval: evaluate the training categories at every so many
            validations and at the last one; 0 never does and costs nothing.
        num_episodes: episodes on the training side; None is the validation's number.

    Raises:
        ConfigError: an argument without meaning.
    """

    priority = 'ABOVE_NORMAL'  # before EMAHook takes the averaged weights away

    def __init__(
        self,
        key: str = 'PCK@0.2',
        window: int = 5,
        train_side_interval: int = 0,
        num_episodes: int | None = None,
    ) -> None:
        if window < 1:
            raise ConfigError(f'window must be at least 1, got {window}')
        if train_side_interval < 0:
            raise ConfigError(
                f'train_side_interval must not be negative, got {train_side_interval}'
            )
        if num_episodes is not None and num_episodes < 1:
            raise ConfigError(f'num_episodes must be at least 1, got {num_episodes}')
        self.key = key
        self.window = window
        self.train_side_interval = train_side_interval
        self.num_episodes = num_episodes
        self._loop: TrainSideLoop | None = None
        self._line: str | None = None

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Evaluate the training side where due, and record the values."""
        metrics = metrics or {}
        if self.key not in metrics:
            self._line = None
            return
        history = runner.message_hub.get_scalar(f'val/{self.key}')
        average = float(history.mean(self.window))
        train = self._evaluate_train_side(runner, len(history.data[0]))
        values = {
            'novel': metrics[self.key],
            'train': train,
            'moving average': average,
            'floor': metrics.get(f'{FLOOR_PREFIX}/{self.key}'),
        }
        self._line = format_summary(self.key, values)
        self._record(runner, average, train)

    def after_val(self, runner: Runner) -> None:
        """Log the line, after everything else that a validation logs."""
        if self._line is not None:
            runner.logger.info(self._line)

    def _evaluate_train_side(self, runner: Runner, number: int) -> float | None:
        progress = training_progress(runner)
        if not self.train_side_interval or progress is None:
            return None
        is_last = progress.done == progress.total
        if number % self.train_side_interval and not is_last:
            return None
        # not at the top: a loop imports a hook
        from ..loops.train_side_loop import train_side_loop

        try:
            if self._loop is None:
                self._loop = train_side_loop(runner, self.num_episodes)
            return self._loop.run()[self.key]
        except CapeError as error:
            runner.logger.warning(f'no train-side validation from now on: {error}')
            self.train_side_interval = 0
            return None

    def _record(self, runner: Runner, average: float, train: float | None) -> None:
        progress = training_progress(runner)
        if progress is None:
            return
        scalars = {f'{AVERAGE_PREFIX}/{self.key}': average}
        if train is not None:
            scalars[f'{TRAIN_PREFIX}/{self.key}'] = train
        runner.visualizer.add_scalars(
            scalars, step=progress.done, file_path=f'{runner.timestamp}.json'
        )
