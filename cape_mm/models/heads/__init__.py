"""Heads: a CAPE method is one head and one config."""

from .autoregressive_head import AutoregressiveHead
from .base import BaseHead, EpisodeContext, Estimate, Prediction, QueryTargets
from .capeformer_head import CapeFormerHead, GraphCapeHead
from .layout_head import LayoutHead
from .matching_head import MatchingContext, MatchingHead
from .proposal_head import ProposalHead

__all__ = [
    'AutoregressiveHead',
    'BaseHead',
    'CapeFormerHead',
    'EpisodeContext',
    'Estimate',
    'GraphCapeHead',
    'LayoutHead',
    'MatchingContext',
    'MatchingHead',
    'Prediction',
    'ProposalHead',
    'QueryTargets',
]
