"""Models, registered in MMPose's ``MODELS``."""

from . import backbones
from .data_preprocessor import EpisodeDataPreprocessor
from .estimators import CAPE, MatchingCAPE
from .heads import (
    AutoregressiveHead,
    BaseHead,
    LayoutHead,
    MatchingHead,
    ProposalHead,
)

__all__ = [
    'AutoregressiveHead',
    'BaseHead',
    'CAPE',
    'EpisodeDataPreprocessor',
    'LayoutHead',
    'MatchingCAPE',
    'MatchingHead',
    'ProposalHead',
    'backbones',
]
