"""Estimators."""

from .cape import CAPE, InstanceFeatures
from .samples import fill_predictions

__all__ = ['CAPE', 'InstanceFeatures', 'fill_predictions']
