"""Encoders of the support keypoints, their graph, and the query."""

from .joint_encoder import JointEncoder
from .keypoint_tokens import KeypointTokens, gaussian_pool, pool_shots
from .pose_graph_encoder import PoseGraphEncoder

__all__ = [
    'JointEncoder',
    'KeypointTokens',
    'PoseGraphEncoder',
    'gaussian_pool',
    'pool_shots',
]
