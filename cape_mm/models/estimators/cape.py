"""The category-agnostic pose estimator."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from mmpose.registry import MODELS

from ...errors import ConfigError
from ...structures import EpisodeInputs
from ...utils.value_checks import check_at_least
from ..encoders import pool_shots
from ..heads import EpisodeContext
from .base import ROLES, BaseEpisodeEstimator, InstanceFeatures
from .parts import (
    build_image_part,
    build_part,
    compare_normalisation,
    extract_maps,
)


@MODELS.register_module()
class CAPE(BaseEpisodeEstimator):
    """Finds the keypoints marked on support images in query images.

    Backbone and neck make feature maps of every image at several scales; support
    keypoints become tokens by looking at the support maps; a transformer over the
    support pose graph relates them; a joint encoder lets them and the query see each
    other; the head finds the points.

    Args:
        backbone: config of any MMPose backbone, or of a :class:`TimmBackbone`.
        neck: config of a neck that gives maps of ``embed_dims`` channels, finest first,
            e.g. MMPose's ``FPN``. Keypoints are searched in the first map, the second
            one makes the query tokens, the support keypoints look at all of them.
        head: config of a :class:`~cape_mm.models.heads.BaseHead`.
        embed_dims: C.
        keypoint_tokens: config of an encoder like :class:`KeypointTokens`, the default.
        pose_graph_encoder: likewise, by default a :class:`PoseGraphEncoder`.
        joint_encoder: likewise, by default a :class:`JointEncoder`.
        support_backbone: config of a backbone of its own for the support images; None
            shares ``backbone``. With two of them the query neck's maps from the third
            on have no use and their parameters no gradient: distributed training then
            needs ``find_unused_parameters=True`` in the config.
        support_neck: neck of the support backbone; None builds ``neck`` a second time.
        **kwargs: arguments of :class:`BaseEpisodeEstimator`.

    Raises:
        ConfigError: a part has no such option, or a value can't be.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        embed_dims: int = 256,
        keypoint_tokens: dict | None = None,
        pose_graph_encoder: dict | None = None,
        joint_encoder: dict | None = None,
        support_backbone: dict | None = None,
        support_neck: dict | None = None,
        **kwargs,
    ) -> None:
        check_at_least('model.embed_dims', embed_dims, 4)
        if embed_dims % 4:  # a place in the image takes a multiple of it
            raise ConfigError(
                f'model.embed_dims must be a multiple of 4, got {embed_dims}'
            )
        super().__init__(**kwargs)
        self.backbone, self.neck = build_image_part('', backbone, neck, embed_dims)
        self.support_backbone, self.support_neck = build_image_part(
            'support_', support_backbone, support_neck or neck, embed_dims
        )
        self.to(memory_format=self.memory_format)
        for part in (self.backbone, self.support_backbone):
            compare_normalisation(self.data_preprocessor, part)
        self.keypoint_tokens = build_part(
            'keypoint_tokens',
            keypoint_tokens,
            type='KeypointTokens',
            embed_dims=embed_dims,
        )
        self.pose_graph_encoder = build_part(
            'pose_graph_encoder',
            pose_graph_encoder,
            type='PoseGraphEncoder',
            embed_dims=embed_dims,
        )
        self.joint_encoder = build_part(
            'joint_encoder', joint_encoder, type='JointEncoder', embed_dims=embed_dims
        )
        self.head = build_part('head', head, embed_dims=embed_dims)
        self.head.check_mode(self.test_cfg['mode'])  # now, not after an epoch

    @torch.no_grad()
    def encode_instances(
        self, inputs: EpisodeInputs, roles: Collection[str] = ROLES
    ) -> InstanceFeatures:
        """See the base class.

        Returns:
            ``as_support``: appearance of the keypoints, (N, K, C); ``as_query``: fine
            map (N, C, H, W) and coarse map (N, C, h, w); empty without the role.
        """
        layout = dict(memory_format=self.memory_format)
        images = inputs.query_images.contiguous(**layout)
        if self.support_backbone is None:
            support_maps = query_maps = self._query_maps(images)
        else:
            support_maps = query_maps = ()
            if 'support' in roles:
                support_maps = self._support_maps(images)
            if 'query' in roles:
                query_maps = self._query_maps(images)
        as_support = as_query = ()
        if 'support' in roles:
            appearance = self.keypoint_tokens(
                support_maps, inputs.support_keypoints, inputs.support_visible
            )
            as_support = (appearance,)
        if 'query' in roles:
            as_query = tuple(query_maps[:2])
        return InstanceFeatures(as_support, as_query)

    @torch.no_grad()
    def relate_shots(
        self, as_support: tuple[torch.Tensor, ...], inputs: EpisodeInputs
    ) -> torch.Tensor:
        """Pool the shots and relate the keypoints over the pose graph.

        Returns:
            Keypoint tokens that have not seen a query, (B, K, C).
        """
        (appearance,) = as_support
        visible = inputs.support_visible
        tokens = pool_shots(appearance.unflatten(0, visible.shape[:2]), visible)
        return self._relate(tokens, inputs)

    def encode(self, inputs: EpisodeInputs) -> EpisodeContext:
        """Images and support keypoints to what a head works on, one row per query."""
        support_maps, query_maps = self.extract_features(inputs)
        tokens = self.keypoint_tokens(
            support_maps, inputs.support_keypoints, inputs.support_visible
        )
        tokens = self._relate(tokens, inputs)
        return self._join(tokens, query_maps[:2], inputs)

    def _relate(self, tokens: torch.Tensor, inputs: EpisodeInputs) -> torch.Tensor:
        return self.pose_graph_encoder(
            tokens, inputs.support_keypoints, inputs.support_visible, inputs.hops
        )

    def _join(
        self,
        tokens: torch.Tensor,
        maps: Sequence[torch.Tensor],
        inputs: EpisodeInputs,
    ) -> EpisodeContext:
        """Hand tokens (B, K, C), encoded once, to the N queries of the episodes."""
        fine_map, coarse_map = maps
        rows = inputs.query_to_episode
        is_known = inputs.is_known[rows]
        query_tokens, keypoint_tokens, fine_map = self.joint_encoder(
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

    def extract_features(
        self, inputs: EpisodeInputs
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Maps of the supports, B * S rows each, and of the queries, N rows each."""
        layout = dict(memory_format=self.memory_format)
        supports = inputs.support_images.flatten(0, 1).contiguous(**layout)
        queries = inputs.query_images.contiguous(**layout)
        if self.support_backbone is not None:
            support_maps = self._support_maps(supports)
            return list(support_maps), list(self._query_maps(queries))
        maps = self._query_maps(torch.cat([supports, queries]))
        sizes = [len(supports), len(queries)]
        split = [feature_map.split(sizes) for feature_map in maps]
        return [pair[0] for pair in split], [pair[1] for pair in split]

    def _query_maps(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return extract_maps(lambda few: self.neck(self.backbone(few)), images)

    def _support_maps(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return extract_maps(
            lambda few: self.support_neck(self.support_backbone(few)), images
        )
