"""Estimators."""

from .base import ROLES, BaseEpisodeEstimator, InstanceFeatures
from .cape import CAPE
from .matching_cape import MatchingCAPE
from .samples import fill_predictions
from .shared_encoder_cape import SharedEncoderCAPE

__all__ = [
    'BaseEpisodeEstimator',
    'CAPE',
    'InstanceFeatures',
    'MatchingCAPE',
    'ROLES',
    'SharedEncoderCAPE',
    'fill_predictions',
]
