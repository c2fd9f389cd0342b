"""Models, registered in MMPose's ``MODELS``."""

from . import backbones
from .data_preprocessor import EpisodeDataPreprocessor
from .estimators import CAPE, MatchingCAPE, SharedEncoderCAPE
from .heads import (
    AutoregressiveHead,
    BaseHead,
    CapeFormerHead,
    GraphCapeHead,
    LayoutHead,
    MatchingHead,
    ProposalHead,
)

__all__ = [
    'AutoregressiveHead',
    'BaseHead',
    'CAPE',
    'CapeFormerHead',
    'EpisodeDataPreprocessor',
    'GraphCapeHead',
    'LayoutHead',
    'MatchingCAPE',
    'MatchingHead',
    'ProposalHead',
    'SharedEncoderCAPE',
    'backbones',
]
