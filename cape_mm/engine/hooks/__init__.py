"""Hooks: accumulation window, seeds, finite loss, checkpoints, reports, pictures."""

from .accumulation_window_hook import AccumulationWindowHook
from .episode_pictures_hook import EpisodePicturesHook
from .finite_loss_hook import FiniteLossHook
from .resume_hooks import (
    AtomicCheckpointHook,
    IterationSeedHook,
    MissedValidationHook,
)
from .run_report_hooks import RedrawCountHook, ResourceHook, TrainingBannerHook
from .validation_hooks import ResumableEarlyStoppingHook, ValidationSummaryHook

__all__ = [
    'AccumulationWindowHook',
    'AtomicCheckpointHook',
    'EpisodePicturesHook',
    'FiniteLossHook',
    'IterationSeedHook',
    'MissedValidationHook',
    'RedrawCountHook',
    'ResourceHook',
    'ResumableEarlyStoppingHook',
    'TrainingBannerHook',
    'ValidationSummaryHook',
]
