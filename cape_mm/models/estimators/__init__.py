"""Estimators."""

from .cape import CAPE
from .instance_features import InstanceFeatures
from .prediction_output import fill_predictions

__all__ = ['CAPE', 'InstanceFeatures', 'fill_predictions']
