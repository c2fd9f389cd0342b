"""Sets a checkpoint's confidence by a test on categories held out of its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit, logit

from ..compat.checkpoint import read_checkpoint
from ..errors import ConfigError
from ..evaluation.calibration import expected_calibration_error, scored_confidences
from ..evaluation.result_file import read_results
from ..utils.atomic_write import replacing

KEY = 'head.calibration'
"""Of a checkpoint's weights: scale and shift of the confidence's logits."""


def fit_confidence(
    confidence: np.ndarray, is_correct: np.ndarray
) -> tuple[float, float]:
    """Scale and shift of logits by which confidences fit best (Platt scaling).

    Platt, Probabilistic Outputs for Support Vector Machines, 1999; without its smoothed
    targets, which thousands of keypoints do not need.

    Args:
        confidence: in [0, 1], (N,).
        is_correct: bool (N,).

    Raises:
        ValueError: all are correct, or none.
    """
    if is_correct.all() or not is_correct.any():
        raise ValueError('confidences can only be fitted to right and wrong keypoints')
    logits = _logits(confidence)
    sign = np.where(is_correct, 1.0, -1.0)

    def loss(numbers: np.ndarray) -> float:
        margins = sign * (numbers[0] * logits + numbers[1])
        return float(np.logaddexp(0, -margins).mean())

    scale, shift = minimize(loss, np.array([1.0, 0.0]), method='Nelder-Mead').x
    return float(scale), float(shift)


def _logits(confidence: np.ndarray) -> np.ndarray:
    return logit(np.clip(confidence, 1e-6, 1 - 1e-6))  # finite at 0 and 1


def calibrate(checkpoint: str | Path, results: str | Path, out: str | Path) -> str:
    """Write a copy of a checkpoint whose confidence fits a test's results.

    Args:
        checkpoint: of a model with a :class:`LayoutHead`.
        results: of its test on categories that it was not trained on, as for
            :func:`read_results`.
        out: file to write.

    Returns:
        What was done, as text.

    Raises:
        CheckpointError: the checkpoint can't be read.
        ConfigError: it has no such confidence, or the results don't tell.
    """
    content = read_checkpoint(checkpoint)
    weights = content['state_dict']
    if KEY not in weights:
        raise ConfigError(f'{checkpoint}: only a LayoutHead has a confidence to set')
    table = read_results(results).table
    found = scored_confidences(table)
    if found is None:
        raise ConfigError(f'{results}: the model of this test gave no confidences')
    confidence, is_correct = found
    try:
        scale, shift = fit_confidence(confidence, is_correct)
    except ValueError as error:
        raise ConfigError(f'{results}: {error}') from error
    fitted = expit(scale * _logits(confidence) + shift)
    before = weights[KEY].double()
    # what the test saw went through the old numbers first
    weights[KEY] = torch.stack([before[0] * scale, before[1] * scale + shift]).float()
    with replacing(Path(out)) as partial:
        torch.save(content, partial)
    errors = [
        100 * expected_calibration_error(values, is_correct)
        for values in (confidence, fitted)
    ]
    return (
        f'{len(confidence):,} keypoints of {len(set(table.category_id))} categories: '
        f'calibration error {errors[0]:.1f} % before, {errors[1]:.1f} % after '
        f'(scale {scale:.3f}, shift {shift:+.3f})\nwritten: {out}'
    )
