"""Gradient accumulation that respects the epoch."""

from __future__ import annotations

import logging

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def get_accumulative_counts(optim_wrapper: OptimWrapper | OptimWrapperDict) -> int:
    """Number of micro-batches of a full window (the largest of several wrappers)."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        return max(get_accumulative_counts(w) for _, w in optim_wrapper.items())
    return optim_wrapper._accumulative_counts


def find_batch_statistics(model: nn.Module) -> list[str]:
    """Names of the BatchNorm layers that normalise by the statistics of the batch.

    A layer in evaluation mode uses its stored statistics, unless it stores none. Call
    this while the model is in training mode, so that ``norm_eval`` has taken effect.
    """
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
        and (module.training or module.running_mean is None)
    ]


def is_no_stock_warning(record: logging.LogRecord) -> bool:
    """``initialize_count_status`` gives two warnings that are not true here.

    One is of BatchNorm whether or not its statistics are frozen; the other, at a
    resume, of lost gradients, though no window crosses an epoch.
    """
    return not str(record.msg).startswith(
        (
            'Gradient accumulative may slightly decrease',
            'Resumed iteration number is not divisible',
        )
    )


@HOOKS.register_module()
class AccumulationWindowHook(Hook):
    """Restart the accumulation window of the optimizer wrapper at every epoch.

    MMEngine 0.10 counts windows over the whole training, so that they straddle epochs:
    validation and checkpoints then miss pending gradients and a resume loses them. With
    this hook 10 batches and ``accumulative_counts=4`` give the windows 4, 4, 2 in every
    epoch. The last one is averaged by its true length and synchronised between ranks,
    nothing is pending when the epoch ends, and a resumed run equals an uninterrupted
    one.

    Convention:
        - the gradient of a window is the mean over its micro-batches, each of which is
          a mean of its own: micro-batches must have the same number of episodes
        - clipping acts once per window, on the accumulated gradient
        - schedulers with ``by_epoch=False`` and ``EMAHook`` step once per micro-batch,
          as MMEngine has it: count their lengths in iterations, not in updates
        - BatchNorm sees micro-batches: this is logged once if a layer uses the
          statistics of the batch, and not at all if all are frozen (``norm_eval``)
        - ``IterBasedTrainLoop`` has no epochs: MMEngine's window over the whole
          training is right there and is left alone
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._is_batch_norm_checked = False

    def before_run(self, runner: Runner) -> None:
        """Silence MMEngine's own warnings: the truth is logged in their place."""
        # The property `train_loop` would build the training data during a test.
        if not isinstance(runner._train_loop, IterBasedTrainLoop):
            runner.logger.addFilter(is_no_stock_warning)

    def after_run(self, runner: Runner) -> None:
        """Take the filter away again."""
        runner.logger.removeFilter(is_no_stock_warning)

    def before_train_epoch(self, runner: Runner) -> None:
        """Open the first window of the epoch, or of the rest of it after a resume."""
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            num_done = getattr(runner.train_loop, 'first_batch', 0)
            runner.optim_wrapper.initialize_count_status(
                runner.model, num_done, len(runner.train_dataloader)
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Warn once of BatchNorm; here because ``model.train()`` has run by now."""
        if self._is_batch_norm_checked:
            return
        self._is_batch_norm_checked = True
        counts = get_accumulative_counts(runner.optim_wrapper)
        names = find_batch_statistics(runner.model) if counts > 1 else []
        if names and not isinstance(runner.train_loop, IterBasedTrainLoop):
            runner.logger.warning(
                f'{len(names)} BatchNorm layers (first: {names[0]}) use the statistics '
                f'of each micro-batch, so {counts} accumulated micro-batches do not '
                f'equal one large batch. Freeze the statistics (norm_eval=True) or use '
                f'GroupNorm if they should.'
            )

    def after_train_epoch(self, runner: Runner) -> None:
        """Check that the last window was closed."""
        wrapper = runner.optim_wrapper
        if isinstance(runner.train_loop, IterBasedTrainLoop) or isinstance(
            wrapper, OptimWrapperDict
        ):
            return
        num_batches = len(runner.train_dataloader)
        assert wrapper.inner_count == num_batches, (
            f'{wrapper.inner_count} micro-batches were accumulated in an epoch of '
            f'{num_batches}: gradients of an unfinished window may be pending'
        )
