"""Hooks: accumulation window, seed of an epoch, banner, speed and memory, pictures."""

from .accumulation_window_hook import AccumulationWindowHook
from .episode_visualization_hook import EpisodeVisualizationHook
from .epoch_seed_hook import EpochSeedHook
from .resource_hook import ResourceHook
from .training_banner_hook import TrainingBannerHook

__all__ = [
    'AccumulationWindowHook',
    'EpisodeVisualizationHook',
    'EpochSeedHook',
    'ResourceHook',
    'TrainingBannerHook',
]
