"""Hooks: accumulation window, epoch seed, finite loss, banner, resources, pictures."""

from .accumulation_window_hook import AccumulationWindowHook
from .episode_visualization_hook import EpisodeVisualizationHook
from .epoch_seed_hook import EpochSeedHook
from .finite_loss_hook import FiniteLossHook
from .resource_hook import ResourceHook
from .training_banner_hook import TrainingBannerHook

__all__ = [
    'AccumulationWindowHook',
    'EpisodeVisualizationHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'ResourceHook',
    'TrainingBannerHook',
]
