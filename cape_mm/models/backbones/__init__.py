"""Backbones that MMPose lacks, or whose public weights it can't read."""

from .swin import SwinBackbone
from .torchvision_vit import TorchvisionViT

__all__ = ['SwinBackbone', 'TorchvisionViT']
