"""Keypoints on a user's own pictures and videos, from a few marked pictures."""

from .inferencer import CapeInferencer
from .prediction_request import PredictRequest
from .prediction_run import predict_files
from .results import InferenceResult, SkippedInput
from .smoothing import smooth_results

__all__ = [
    'CapeInferencer',
    'InferenceResult',
    'PredictRequest',
    'SkippedInput',
    'predict_files',
    'smooth_results',
]
