"""Estimators."""

from .base import ROLES, BaseEpisodeEstimator, InstanceFeatures
from .cape import CAPE
from .matching_cape import MatchingCAPE
from .samples import fill_predictions

__all__ = [
    'BaseEpisodeEstimator',
    'CAPE',
    'InstanceFeatures',
    'MatchingCAPE',
    'ROLES',
    'fill_predictions',
]
