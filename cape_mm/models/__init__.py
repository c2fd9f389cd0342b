"""Models, registered in MMPose's ``MODELS``."""

from .data_preprocessor import EpisodeDataPreprocessor
from .estimators import CAPE
from .heads import AutoregressiveHead, BaseHead

__all__ = ['AutoregressiveHead', 'BaseHead', 'CAPE', 'EpisodeDataPreprocessor']
