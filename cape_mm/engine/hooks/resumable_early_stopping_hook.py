"""Early stopping that a resume does not make forget what it has seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ...errors import ConfigError
from ..tracking.directions import as_shown, is_lower_better
from ..training_progress import training_progress

STATE_KEY = 'early_stopping'
"""Where the state is in the message hub, and so in every checkpoint."""


@dataclass(frozen=True)
class Plateau:
    """The best value so far, and for how many validations nothing was better.

    Attributes:
        monitor: the metric's key.
        best: its best value; None before the first validation.
        best_at: epoch (or iteration) of the best value.
        num_worse: validations since then.
    """

    monitor: str
    best: float | None = None
    best_at: int = 0
    num_worse: int = 0

    def after(self, value: float, at: int, rule: str, min_delta: float) -> Plateau:
        """The state after another validation.

        Args:
            value: the metric; NaN is never an improvement.
            at: epoch (or iteration) of the validation.
            rule: 'greater' or 'less'.
            min_delta: an improvement has to be larger than this; with 0 an equal value
                is none.
        """
        if self.best is None:
            is_better = not math.isnan(value)
        else:
            gain = value - self.best if rule == 'greater' else self.best - value
            is_better = gain > min_delta
        if is_better:
            return replace(self, best=value, best_at=at, num_worse=0)
        return replace(self, num_worse=self.num_worse + 1)


@HOOKS.register_module()
class ResumableEarlyStoppingHook(Hook):
    """Stop training when a validation metric no longer improves, and say why.

    MMEngine's ``EarlyStoppingHook`` counts from nothing after a resume, takes 0.1 for
    its ``min_delta`` (ten points of PCK), an equal value for an improvement where that
    is 0, and can't tell that a greater PCK is better. Here the count is kept in the
    message hub before the checkpoint hook saves; with ``MissedValidationHook`` a
    resumed training stops where an uninterrupted one does.

    Convention:
        - ``patience=None`` never stops and does nothing
        - a run that has stopped stays stopped when it is resumed with the same patience
        - a better value has to be better than the best by more than ``min_delta``

    Args:
        monitor: key of the metric, in the units of the metric (fractions for PCK).
        patience: validations without improvement after which training stops.
        min_delta: the least improvement, 0.005 is half a point of PCK.
        rule: 'greater' or 'less'; None takes what fits the key.

    Raises:
        ConfigError: an argument without meaning, or the metrics lack ``monitor``.
    """

    priority = 'LOW'  # before CheckpointHook saves the message hub

    def __init__(
        self,
        monitor: str = 'PCK@0.2',
        patience: int | None = None,
        min_delta: float = 0.0,
        rule: str | None = None,
    ) -> None:
        if patience is not None and patience < 1:
            raise ConfigError(f'patience must be None or at least 1, got {patience}')
        if min_delta < 0:
            raise ConfigError(f'min_delta must not be negative, got {min_delta}')
        if rule not in (None, 'greater', 'less'):
            raise ConfigError(f"rule must be 'greater' or 'less', got {rule!r}")
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.rule = rule or ('less' if is_lower_better(monitor) else 'greater')
        self.state = Plateau(monitor)

    def before_train(self, runner: Runner) -> None:
        """Take the state of a resumed run; what has stopped stays stopped."""
        if self.patience is None:
            return
        stored = runner.message_hub.runtime_info.get(STATE_KEY)
        if stored is None:
            return
        if stored['monitor'] != self.monitor:
            runner.logger.warning(
                f'early stopping: the checkpoint watched {stored["monitor"]!r}, now it '
                f'is {self.monitor!r}: counting starts afresh'
            )
            return
        self.state = Plateau(**stored)
        self._stop_if_due(runner, 'was reached before this resume: ')

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Count this validation."""
        progress = training_progress(runner)
        if self.patience is None or progress is None:
            return
        if self.monitor not in (metrics or {}):
            found = [k for k, v in (metrics or {}).items() if isinstance(v, float)]
            raise ConfigError(
                f'early stopping watches {self.monitor!r}, which the validation does '
                f'not measure. It has {", ".join(found) or "no number"}. Set '
                f'default_hooks.early_stopping.monitor to one of them.'
            )
        value = float(metrics[self.monitor])
        self.state = self.state.after(value, progress.done, self.rule, self.min_delta)
        runner.message_hub.update_info(STATE_KEY, asdict(self.state))
        self._stop_if_due(runner, f'after {progress}: ')

    def _stop_if_due(self, runner: Runner, when: str) -> None:
        progress = training_progress(runner)
        if self.state.num_worse < self.patience or progress.done >= progress.total:
            return
        runner.train_loop.stop_training = True
        runner.logger.info(
            f'early stopping {when}{self._reason(progress.unit)}{_name_best(runner)}. '
            f'To train on: --resume --cfg-options '
            f'default_hooks.early_stopping.patience={2 * self.patience}'
        )

    def _reason(self, unit: str) -> str:
        state = self.state
        if state.best is None:
            return f'{self.monitor} was never a number in {state.num_worse} validations'
        moved = 'risen' if self.rule == 'greater' else 'fallen'
        return (
            f'{self.monitor} was {as_shown(self.monitor, state.best):.4g} in {unit} '
            f'{state.best_at} and has not {moved} by more than '
            f'{as_shown(self.monitor, self.min_delta):g} in {state.num_worse} '
            f'validation(s) since (patience {self.patience})'
        )


def _name_best(runner: Runner) -> str:
    best = runner.message_hub.runtime_info.get('best_ckpt')
    return f'. Best checkpoint: {best}' if best else ''
