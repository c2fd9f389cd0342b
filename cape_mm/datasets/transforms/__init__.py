"""Transforms of one instance, registered in MMPose's ``TRANSFORMS``."""

from .geometric import (
    EpisodeFlip,
    InstanceCrop,
    RandomInstanceAffine,
    WarpInstance,
)
from .loading import LoadInstanceImage, PackInstance
from .perturbations import (
    FixedInstanceAffine,
    JpegCompression,
    PerturbQuery,
    RandomOcclusion,
)
from .photometric import EpisodeColor, RandomGaussianBlur, RandomPhotometric

__all__ = [
    'EpisodeColor',
    'EpisodeFlip',
    'FixedInstanceAffine',
    'InstanceCrop',
    'JpegCompression',
    'LoadInstanceImage',
    'PackInstance',
    'PerturbQuery',
    'RandomGaussianBlur',
    'RandomInstanceAffine',
    'RandomOcclusion',
    'RandomPhotometric',
    'WarpInstance',
]
