"""The official metric, its floors, and how the result is reported."""

from .copy_support import copy_support
from .episode_pck import EpisodePCK
from .functional import auc, epe, nme, normalized_distances, pck
from .report import format_table, write_metrics
from .results import ResultTable

__all__ = [
    'EpisodePCK',
    'ResultTable',
    'auc',
    'copy_support',
    'epe',
    'format_table',
    'nme',
    'normalized_distances',
    'pck',
    'write_metrics',
]
