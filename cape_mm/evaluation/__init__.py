"""The official metric, its floor, and how the result is reported."""

from .calibration import (
    area_under_risk_coverage,
    auroc,
    brier_score,
    expected_calibration_error,
    risk_coverage,
)
from .copy_support import copy_support
from .episode_pck import EpisodePCK
from .functional import auc, epe, nme, normalized_distances, pck
from .prediction_dump import PredictionDump
from .report import format_table, write_metrics
from .results import ResultTable

__all__ = [
    'EpisodePCK',
    'PredictionDump',
    'ResultTable',
    'area_under_risk_coverage',
    'auc',
    'auroc',
    'brier_score',
    'copy_support',
    'epe',
    'expected_calibration_error',
    'format_table',
    'nme',
    'normalized_distances',
    'pck',
    'risk_coverage',
    'write_metrics',
]
