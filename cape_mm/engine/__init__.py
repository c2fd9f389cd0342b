"""What surrounds the training loop: hooks, evaluation loops, optimizer wrappers."""

from .hooks import (
    AccumulationWindowHook,
    AtomicCheckpointHook,
    EpisodePicturesHook,
    FiniteLossHook,
    IterationSeedHook,
    MissedValidationHook,
    RedrawCountHook,
    ResourceHook,
    ResumableEarlyStoppingHook,
    TrainingBannerHook,
    ValidationSummaryHook,
)
from .loops import EpisodeTestLoop, EpisodeTrainLoop, EpisodeValLoop
from .optim import CpuAmpOptimWrapper, MergedGroupsConstructor

__all__ = [
    'AccumulationWindowHook',
    'AtomicCheckpointHook',
    'CpuAmpOptimWrapper',
    'EpisodePicturesHook',
    'EpisodeTestLoop',
    'EpisodeTrainLoop',
    'EpisodeValLoop',
    'IterationSeedHook',
    'FiniteLossHook',
    'MergedGroupsConstructor',
    'MissedValidationHook',
    'RedrawCountHook',
    'ResourceHook',
    'ResumableEarlyStoppingHook',
    'TrainingBannerHook',
    'ValidationSummaryHook',
]
