"""Weights that a training starts from must fit its model."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ..compat.checkpoint import NUM_SHOWN, check_architecture, read_checkpoint
from ..engine.trained_categories import remember_training
from ..errors import CheckpointError


def bare_model(runner: Runner) -> nn.Module:
    """The model without a wrapper."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model


def check_start(runner: Runner, path: str | None, resume: bool) -> None:
    """Refuse to start from weights of another architecture.

    MMEngine loads what fits and only logs the rest. A resume must fit exactly; for
    fine-tuning (``load_from``), which may replace a part, half of the model must.

    Raises:
        CheckpointError: the weights do not fit the runner's model, or the file to
            resume from holds no state of a training.
    """
    if path is None or '://' in str(path):
        return
    model = bare_model(runner)
    checkpoint = read_checkpoint(path)
    weights, expected = checkpoint['state_dict'], model.state_dict()
    others = [
        name
        for name, value in expected.items()
        if name not in weights or weights[name].shape != value.shape
    ]
    if resume or 2 * len(others) > len(expected):
        check_architecture(model, checkpoint, path)
    if not resume:
        runner.logger.info(describe_fit(len(expected), others))
        remember_training(runner.message_hub, checkpoint)
    elif not {'meta', 'optimizer', 'message_hub'} <= checkpoint.keys():
        raise CheckpointError(
            f'--resume: {path} holds weights, but no state of a training. Start a new '
            f'one from these weights with --cfg-options load_from={path}.'
        )


def describe_fit(num_weights: int, others: Sequence[str]) -> str:
    """How many weights ``load_from`` gives, and the first that it does not."""
    text = f'load_from: {num_weights - len(others)} of {num_weights} weights fit'
    if not others:
        return text
    shown = ', '.join(others[:NUM_SHOWN]) + (', ...' if others[NUM_SHOWN:] else '')
    return f'{text}; the others start afresh: {shown}'
