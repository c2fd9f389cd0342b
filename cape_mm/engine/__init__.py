"""What surrounds the training loop: hooks and optimizer wrappers."""

from .hooks import (
    AccumulationWindowHook,
    EpisodeVisualizationHook,
    ResourceHook,
    TrainingBannerHook,
)
from .optim import CpuAmpOptimWrapper

__all__ = [
    'AccumulationWindowHook',
    'CpuAmpOptimWrapper',
    'EpisodeVisualizationHook',
    'ResourceHook',
    'TrainingBannerHook',
]
