"""What surrounds the training loop: hooks, evaluation loops, optimizer wrappers."""

from .hooks import (
    AccumulationWindowHook,
    EpisodeVisualizationHook,
    EpochSeedHook,
    ResourceHook,
    TrainingBannerHook,
)
from .loops import EpisodeTestLoop, EpisodeValLoop
from .optim import CpuAmpOptimWrapper

__all__ = [
    'AccumulationWindowHook',
    'CpuAmpOptimWrapper',
    'EpisodeTestLoop',
    'EpisodeValLoop',
    'EpisodeVisualizationHook',
    'EpochSeedHook',
    'ResourceHook',
    'TrainingBannerHook',
]
