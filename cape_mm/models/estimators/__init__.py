"""Estimators."""

from .cape import CAPE

__all__ = ['CAPE']
