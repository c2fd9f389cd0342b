"""What surrounds the training loop: hooks and optimizer wrappers."""

from .hooks import (
    AccumulationWindowHook,
    EpisodeVisualizationHook,
    EpochSeedHook,
    ResourceHook,
    TrainingBannerHook,
)
from .optim import CpuAmpOptimWrapper

__all__ = [
    'AccumulationWindowHook',
    'CpuAmpOptimWrapper',
    'EpisodeVisualizationHook',
    'EpochSeedHook',
    'ResourceHook',
    'TrainingBannerHook',
]
