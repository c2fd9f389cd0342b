"""Records and geometry that everything else shares; imports nothing of ours."""

from .episode import Episode
from .episode_batch import EpisodeInputs, ImageStack, PackedSamples
from .episode_data_sample import EpisodeDataSample

__all__ = [
    'Episode',
    'EpisodeDataSample',
    'EpisodeInputs',
    'ImageStack',
    'PackedSamples',
]
