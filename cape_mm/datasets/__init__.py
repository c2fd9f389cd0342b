"""Episodic data: annotation files, samplers, transforms."""

from . import transforms
from .episode_sampler import EpisodeSampler
from .mp100_dataset import MP100EpisodeDataset

__all__ = ['EpisodeSampler', 'MP100EpisodeDataset', 'transforms']
