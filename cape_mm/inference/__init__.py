"""Keypoints on a user's own pictures and videos, from a few marked pictures."""

from .inferencer import CapeInferencer
from .results import InferenceResult, SkippedInput
from .smoothing import smooth_results

__all__ = ['CapeInferencer', 'InferenceResult', 'SkippedInput', 'smooth_results']
