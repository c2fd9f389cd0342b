"""One line per validation: the figure, its moving average, the floors."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ...evaluation.report import as_shown
from ...utils.value_checks import check_at_least
from ..loops.episode_train_loop import training_progress
from ..trained_categories import trained_of, usable_categories

AVERAGE_PREFIX = 'moving_average'


def format_summary(key: str, values: Mapping[str, float]) -> str:
    """``PCK@0.2 novel 61.2 | moving average 60.1 | copy support 41.4``."""
    parts = [f'{name} {as_shown(key, value):.1f}' for name, value in values.items()]
    return f'{key} {" | ".join(parts)}'


@HOOKS.register_module()
class ValidationSummaryHook(Hook):
    """Say after every validation how good it is, and how sure.

    The line ``PCK@0.2 novel 61.2 | moving average 60.1 | copy support 41.4`` holds the
    validation, the mean over the latest validations, and every floor. Where categories
    are trained on it says ``trained``, or ``3 of 10 trained``, in place of ``novel``.
    The moving average also goes to ``scalars.json`` and TensorBoard, as
    ``moving_average/PCK@0.2``; it goes on over a resume.

    Args:
        key: the metric.
        window: validations in the moving average.
        train_side_interval: without effect, in configs of earlier versions.

    Raises:
        ConfigError: a window of no validation.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(
        self, key: str = 'PCK@0.2', window: int = 5, train_side_interval: int = 0
    ) -> None:
        check_at_least('window', window, 1)
        self.key = key
        self.window = window
        self._line: str | None = None

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Record the moving average."""
        metrics = metrics or {}
        self._line = None
        if self.key not in metrics:
            return
        history = runner.message_hub.get_scalar(f'val/{self.key}')
        average = float(history.mean(self.window))
        floors = {
            name.removesuffix(f'/{self.key}').replace('_', ' '): value
            for name, value in metrics.items()
            if name.endswith(f'/{self.key}')
        }
        evaluated = usable_categories(runner.val_dataloader.dataset)
        kind = describe_kind(evaluated, trained_of(runner.message_hub))
        values = {kind: metrics[self.key], 'moving average': average, **floors}
        self._line = format_summary(self.key, values)
        progress = training_progress(runner)
        if progress is not None:
            runner.visualizer.add_scalars(
                {f'{AVERAGE_PREFIX}/{self.key}': average},
                step=progress.done,
                file_path=f'{runner.timestamp}.json',
            )

    def after_val(self, runner: Runner) -> None:
        """Log the line, after everything else that a validation logs."""
        if self._line is not None:
            runner.logger.info(self._line)


def describe_kind(evaluated: Mapping, trained: Mapping) -> str:
    """``novel``, ``trained``, how many are trained on; ``val`` if that is unknown."""
    if not evaluated or not trained:
        return 'val'
    num_trained = len(evaluated.keys() & trained.keys())
    if not num_trained:
        return 'novel'
    if num_trained == len(evaluated):
        return 'trained'
    return f'{num_trained} of {len(evaluated)} trained'
