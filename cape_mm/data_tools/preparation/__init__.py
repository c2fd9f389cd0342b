"""Prepares MP-100's image folders from the thirteen source data sets."""

from .layouts import LAYOUTS, guess_source_folders
from .linking import MODES
from .prepare import Preparation, prepare_mp100

__all__ = ['LAYOUTS', 'MODES', 'Preparation', 'guess_source_folders', 'prepare_mp100']
