"""Transforms of one instance, registered in MMPose's ``TRANSFORMS``."""

from .formatting import PackInstance
from .geometric import EpisodeFlip, InstanceCrop, RandomInstanceAffine, WarpInstance
from .loading import LoadInstanceImage
from .photometric import RandomPhotometric

__all__ = [
    'EpisodeFlip',
    'InstanceCrop',
    'LoadInstanceImage',
    'PackInstance',
    'RandomInstanceAffine',
    'RandomPhotometric',
    'WarpInstance',
]
