"""Hooks: accumulation window, epoch seed, finite loss, banner, resources, pictures."""

from .accumulation_window_hook import AccumulationWindowHook
from .atomic_checkpoint_hook import AtomicCheckpointHook
from .episode_visualization_hook import EpisodeVisualizationHook
from .finite_loss_hook import FiniteLossHook
from .redraw_count_hook import RedrawCountHook
from .resource_hook import ResourceHook
from .resumable_early_stopping_hook import ResumableEarlyStoppingHook
from .resume_hooks import IterationSeedHook, MissedValidationHook
from .training_banner_hook import TrainingBannerHook
from .validation_pictures_hook import ValidationPicturesHook
from .validation_summary_hook import ValidationSummaryHook

__all__ = [
    'AccumulationWindowHook',
    'AtomicCheckpointHook',
    'EpisodeVisualizationHook',
    'IterationSeedHook',
    'FiniteLossHook',
    'MissedValidationHook',
    'RedrawCountHook',
    'ResourceHook',
    'ResumableEarlyStoppingHook',
    'TrainingBannerHook',
    'ValidationPicturesHook',
    'ValidationSummaryHook',
]
