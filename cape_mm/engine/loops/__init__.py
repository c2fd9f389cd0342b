"""Loops: evaluation from features encoded once, training that can be resumed."""

from .episode_eval_loop import EpisodeTestLoop, EpisodeValLoop
from .episode_train_loop import EpisodeTrainLoop
from .kept_features_loop import KeptFeaturesTrainLoop

__all__ = [
    'EpisodeTestLoop',
    'EpisodeTrainLoop',
    'EpisodeValLoop',
    'KeptFeaturesTrainLoop',
]
