"""Episodic data: annotation files, samplers, transforms."""

from . import transforms
from .collate import collate_episodes
from .episode_samplers import EpisodeSampler, FixedEpisodeSampler
from .mp100_dataset import MP100EpisodeDataset
from .multi_source_dataset import MultiSourceEpisodeDataset

__all__ = [
    'EpisodeSampler',
    'FixedEpisodeSampler',
    'MP100EpisodeDataset',
    'MultiSourceEpisodeDataset',
    'collate_episodes',
    'transforms',
]
