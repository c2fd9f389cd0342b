"""Prepares MP-100's image folders from the thirteen source data sets."""

from .prepare import MODES, Preparation, prepare_mp100

__all__ = ['MODES', 'Preparation', 'prepare_mp100']
