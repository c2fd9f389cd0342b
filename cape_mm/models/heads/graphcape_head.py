"""GraphCape's head: CapeFormer's, whose decoder works along the skeleton."""

from __future__ import annotations

from mmpose.registry import MODELS

from ..layers.refinement import GraphFeedForward
from .capeformer_head import CapeFormerHead


@MODELS.register_module()
class GraphCapeHead(CapeFormerHead):
    """Finds keypoints as "Pose Anything" does (Hirschorn and Avidan, ECCV 2024).

    The decoder's feed-forward networks mix a keypoint with its neighbours on the
    skeleton, and no encoding of the index is left: permuted keypoints permute the
    prediction. An empty skeleton is one without neighbours.

    Args:
        heatmap_sigma: see :class:`CapeFormerHead`.
        **kwargs: its other arguments.
    """

    encodes_index = False
    feed_forward = GraphFeedForward

    def __init__(self, heatmap_sigma: float = 1.0, **kwargs) -> None:
        super().__init__(heatmap_sigma=heatmap_sigma, **kwargs)
