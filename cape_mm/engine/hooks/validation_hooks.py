"""After a validation: one line about it, and whether to train on."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ...errors import ConfigError
from ...evaluation.report import as_shown, is_lower_better
from ...utils.value_checks import check_at_least
from ..loops.episode_train_loop import training_progress
from ..trained_categories import trained_of, usable_categories

STATE_KEY = 'early_stopping'
"""Where the state is in the message hub, and so in every checkpoint."""


@HOOKS.register_module()
class ValidationSummaryHook(Hook):
    """Say after every validation how good it is, beside the floors.

    The line is ``PCK@0.2 novel 61.2 | copy support 41.4``. Where categories are trained
    on it says ``trained``, or ``3 of 10 trained``, in place of ``novel``.

    Args:
        key: the metric.
        window: without effect, in configs of earlier versions.
        train_side_interval: likewise.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(
        self, key: str = 'PCK@0.2', window: int = 5, train_side_interval: int = 0
    ) -> None:
        self.key = key
        self._line: str | None = None

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Put the line together."""
        metrics = metrics or {}
        self._line = None
        if self.key not in metrics:
            return
        evaluated = usable_categories(runner.val_dataloader.dataset)
        kind = describe_kind(evaluated, trained_of(runner.message_hub))
        values = {kind: metrics[self.key]}
        for name, value in metrics.items():
            if name.endswith(f'/{self.key}'):
                values[name.removesuffix(f'/{self.key}').replace('_', ' ')] = value
        parts = [f'{k} {as_shown(self.key, value):.1f}' for k, value in values.items()]
        self._line = f'{self.key} {" | ".join(parts)}'

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


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """``EarlyStoppingHook`` that goes on counting after a resume.

    It knows that a greater PCK is better and a smaller NME, counts an equal value as no
    improvement, and a NaN as one more validation without one. The count is kept in the
    message hub before the checkpoint hook saves; with ``MissedValidationHook`` a
    resumed training stops where an uninterrupted one does.

    Convention:
        - ``patience=None`` never stops and does nothing
        - a run that has stopped stays stopped when it is resumed with the same patience

    Args:
        monitor: key of the metric, in the units of the metric (fractions for PCK). The
            default weighs every category alike.
        patience: validations without improvement after which training stops.
        min_delta: an improvement has to be larger than this, 0.005 is half a point.
        rule: 'greater' or 'less'; None takes what fits the key.

    Raises:
        ConfigError: ``patience`` is below 1, or the metrics lack ``monitor``.
    """

    priority = 'LOW'  # before CheckpointHook saves the message hub

    def __init__(
        self,
        monitor: str = 'PCK_macro@0.2',
        patience: int | None = None,
        min_delta: float = 0.0,
        rule: str | None = None,
    ) -> None:
        if patience is not None:
            check_at_least('patience', patience, 1)
        rule = rule or ('less' if is_lower_better(monitor) else 'greater')
        super().__init__(monitor, rule, min_delta, patience=patience)

    def before_run(self, runner: Runner) -> None:
        """MMEngine builds the training data here, of a test too."""

    def before_train(self, runner: Runner) -> None:
        """Take the state of a resumed run; what has stopped stays stopped."""
        stored = runner.message_hub.runtime_info.get(STATE_KEY)
        if self.patience is not None and stored and stored[0] == self.monitor:
            _, self.best_score, self.wait_count = stored
            self._stop_if_due(runner)

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Count this validation."""
        if self.patience is None or training_progress(runner) is None:
            return
        if self.monitor not in (metrics or {}):
            found = [k for k, v in (metrics or {}).items() if isinstance(v, float)]
            raise ConfigError(
                f'early stopping watches {self.monitor!r}, which the validation does '
                f'not measure. It has {", ".join(found) or "no number"}. Set '
                f'default_hooks.early_stopping.monitor to one of them.'
            )
        value = float(metrics[self.monitor])
        is_better = self.rule_map[self.rule]
        if is_better(value, self.best_score + self.min_delta):  # NaN never is
            self.best_score, self.wait_count = value, 0
        else:
            self.wait_count += 1
        state = [self.monitor, self.best_score, self.wait_count]
        runner.message_hub.update_info(STATE_KEY, state)
        self._stop_if_due(runner)

    def _stop_if_due(self, runner: Runner) -> None:
        progress = training_progress(runner)
        if self.wait_count < self.patience or progress.done >= progress.total:
            return
        runner.train_loop.stop_training = True
        best = as_shown(self.monitor, self.best_score)
        runner.logger.info(
            f'early stopping after {progress}: {self.monitor} was {best:.4g} and has '
            f'not been better in {self.wait_count} validation(s) since. To train on: '
            f'--resume --cfg-options default_hooks.early_stopping.patience='
            f'{2 * self.patience}'
        )
