"""Loops: evaluation from features encoded once, training that can be resumed."""

from .episode_test_loop import EpisodeTestLoop
from .episode_train_loop import EpisodeTrainLoop
from .episode_val_loop import EpisodeValLoop

__all__ = ['EpisodeTestLoop', 'EpisodeTrainLoop', 'EpisodeValLoop']
