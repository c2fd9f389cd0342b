"""A trained model as ONNX files, and a runner that needs neither torch nor mmpose."""

from .exporting import export_checkpoint
from .writing import export_onnx

__all__ = ['export_checkpoint', 'export_onnx']
