"""What surrounds the training loop: hooks, evaluation loops, optimizer wrappers."""

from .hooks import (
    AccumulationWindowHook,
    AtomicCheckpointHook,
    EpisodeVisualizationHook,
    FiniteLossHook,
    IterationSeedHook,
    MissedValidationHook,
    RedrawCountHook,
    ResourceHook,
    ResumableEarlyStoppingHook,
    TrainingBannerHook,
    ValidationPicturesHook,
    ValidationSummaryHook,
)
from .loops import EpisodeTestLoop, EpisodeTrainLoop, EpisodeValLoop
from .optim import CpuAmpOptimWrapper, MergedGroupsConstructor
from .tracking import OptionalTensorboardVisBackend

__all__ = [
    'AccumulationWindowHook',
    'AtomicCheckpointHook',
    'CpuAmpOptimWrapper',
    'EpisodeTestLoop',
    'EpisodeTrainLoop',
    'EpisodeValLoop',
    'EpisodeVisualizationHook',
    'IterationSeedHook',
    'FiniteLossHook',
    'MergedGroupsConstructor',
    'MissedValidationHook',
    'OptionalTensorboardVisBackend',
    'RedrawCountHook',
    'ResourceHook',
    'ResumableEarlyStoppingHook',
    'TrainingBannerHook',
    'ValidationPicturesHook',
    'ValidationSummaryHook',
]
