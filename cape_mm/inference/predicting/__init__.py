"""Prediction of whole folders and videos into files: what tools/predict.py calls."""

from .predict import predict_files
from .request import PredictRequest

__all__ = ['PredictRequest', 'predict_files']
