"""Loops that evaluate episodes from features encoded once."""

from .episode_test_loop import EpisodeTestLoop
from .episode_val_loop import EpisodeValLoop

__all__ = ['EpisodeTestLoop', 'EpisodeValLoop']
