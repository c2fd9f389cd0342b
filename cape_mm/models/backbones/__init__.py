"""Backbones besides MMPose's own: everything that timm has."""

from .timm_backbone import TimmBackbone

__all__ = ['TimmBackbone']
