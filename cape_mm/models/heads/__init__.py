"""Heads: a CAPE method is one head and one config."""

from .autoregressive_head import AutoregressiveHead
from .base import BaseHead, EpisodeContext, Estimate, Prediction, QueryTargets
from .layout_head import LayoutHead
from .matching_head import MatchingContext, MatchingHead
from .proposal_head import ProposalHead

__all__ = [
    'AutoregressiveHead',
    'BaseHead',
    'EpisodeContext',
    'Estimate',
    'LayoutHead',
    'MatchingContext',
    'MatchingHead',
    'Prediction',
    'ProposalHead',
    'QueryTargets',
]
