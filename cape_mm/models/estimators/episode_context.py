"""From an episode's support and its queries to one row per query."""

from __future__ import annotations

import torch

from ...structures import EpisodeInputs
from ..encoders import JointEncoder
from ..heads import EpisodeContext


def join_query(
    joint_encoder: JointEncoder,
    tokens: torch.Tensor,
    fine_map: torch.Tensor,
    coarse_map: torch.Tensor,
    inputs: EpisodeInputs,
) -> EpisodeContext:
    """Hand the support, encoded once, to each of its queries.

    Args:
        joint_encoder: lets the two look at each other.
        tokens: keypoint tokens of the supports, (B, K, C).
        fine_map: fine maps of the queries, (N, C, H, W).
        coarse_map: their coarse maps, (N, C, h, w).
        inputs: the episodes; their images are not looked at.

    Returns:
        What a head works on, N rows.
    """
    rows = inputs.query_to_episode
    is_known = inputs.is_known[rows]
    query_tokens, keypoint_tokens, fine_map = joint_encoder(
        fine_map, coarse_map, tokens[rows], is_known
    )
    return EpisodeContext(
        keypoint_tokens=keypoint_tokens,
        query_tokens=query_tokens,
        fine_map=fine_map,
        hops=inputs.hops[rows],
        is_known=is_known,
        num_steps=inputs.num_steps,
    )
