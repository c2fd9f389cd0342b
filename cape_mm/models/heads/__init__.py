"""Heads: a CAPE method is one head and one config."""

from .autoregressive_head import AutoregressiveHead
from .base import BaseHead, EpisodeContext, Estimate, QueryTargets

__all__ = [
    'AutoregressiveHead',
    'BaseHead',
    'EpisodeContext',
    'Estimate',
    'QueryTargets',
]
