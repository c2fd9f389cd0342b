"""Models, registered in MMPose's ``MODELS``."""

from . import backbones
from .data_preprocessor import EpisodeDataPreprocessor
from .estimators import CAPE
from .heads import AutoregressiveHead, BaseHead, ProposalHead

__all__ = [
    'AutoregressiveHead',
    'BaseHead',
    'CAPE',
    'EpisodeDataPreprocessor',
    'ProposalHead',
    'backbones',
]
