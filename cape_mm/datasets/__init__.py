"""Episodic data: annotation files, samplers, transforms."""

from . import transforms
from .collate import collate_episodes
from .episode_sampler import EpisodeSampler
from .mp100_dataset import MP100EpisodeDataset

__all__ = ['EpisodeSampler', 'MP100EpisodeDataset', 'collate_episodes', 'transforms']
