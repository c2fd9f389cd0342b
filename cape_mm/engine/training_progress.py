"""How far a training is, in the unit in which it validates."""

from __future__ import annotations

from typing import NamedTuple

from mmengine.runner import BaseLoop, IterBasedTrainLoop, Runner


class TrainingProgress(NamedTuple):
    """Finished epochs, or finished iterations of a training without epochs."""

    unit: str
    done: int
    total: int

    def __str__(self) -> str:
        return f'{self.unit} {self.done}'


def training_progress(runner: Runner) -> TrainingProgress | None:
    """How far a runner's training is; None where nothing is trained.

    Looking at ``runner.epoch`` itself would build the training data of a validation.
    """
    loop = runner._train_loop
    if not isinstance(loop, BaseLoop):
        return None
    if isinstance(loop, IterBasedTrainLoop):
        return TrainingProgress('iteration', loop.iter, loop.max_iters)
    return TrainingProgress('epoch', loop.epoch, loop.max_epochs)
