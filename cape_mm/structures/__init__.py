"""Records and geometry that everything else shares; imports nothing of ours."""

from .episode import Episode
from .episode_data_sample import EpisodeDataSample
from .episode_inputs import EpisodeInputs
from .image_stack import ImageStack
from .packed_samples import PackedSamples

__all__ = [
    'Episode',
    'EpisodeDataSample',
    'EpisodeInputs',
    'ImageStack',
    'PackedSamples',
]
