"""The estimator of methods that are one image encoder and a head that does the rest."""

from __future__ import annotations

from collections.abc import Collection

import torch
from mmpose.registry import MODELS

from ...errors import ConfigError
from ...structures import EpisodeInputs
from ..heads import EpisodeContext
from .base import ROLES, BaseEpisodeEstimator, InstanceFeatures
from .parts import build_part, compare_normalisation, extract_maps


@MODELS.register_module()
class SharedEncoderCAPE(BaseEpisodeEstimator):
    """One backbone for support and query images, whose last map is all a head gets.

    Args:
        backbone: config of any MMPose backbone, or of a :class:`TimmBackbone`.
        head: config of a :class:`CapeFormerHead` or :class:`GraphCapeHead`.
        **kwargs: arguments of :class:`BaseEpisodeEstimator`.

    Raises:
        ConfigError: a part has no such option, or a value can't be.
    """

    def __init__(self, backbone: dict, head: dict, **kwargs) -> None:
        super().__init__(**kwargs)
        self.backbone = build_part('backbone', backbone)
        self.to(memory_format=self.memory_format)
        compare_normalisation(self.data_preprocessor, self.backbone)
        self.head = build_part('head', head)
        given = getattr(self.backbone, 'channels', (self.head.in_channels,))[-1]
        if given != self.head.in_channels:
            raise ConfigError(
                f'model.head.in_channels={self.head.in_channels}, but the backbone '
                f'gives {given}'
            )
        self.head.check_mode(self.test_cfg['mode'])  # now, not after an epoch

    def extract_map(self, images: torch.Tensor) -> torch.Tensor:
        """The backbone's last map of images.

        Raises:
            ConfigError: the images are not of the size that the head works in.
        """
        side = self.head.input_size
        if images.shape[-2:] != (side, side):
            raise ConfigError(
                f'images of {images.shape[-1]} x {images.shape[-2]}, but '
                f'model.head.input_size={side}: both sides must be that'
            )
        images = images.contiguous(memory_format=self.memory_format)
        return extract_maps(self.backbone, images)[-1]

    def encode(self, inputs: EpisodeInputs) -> EpisodeContext:
        """Images and support keypoints to what the head works on, one row per query."""
        supports = inputs.support_images.flatten(0, 1)
        maps = self.extract_map(torch.cat([supports, inputs.query_images]))
        support_map, query_map = maps.split([len(supports), len(inputs.query_images)])
        pooled = self.head.pool(support_map, inputs.support_keypoints.flatten(0, 1))
        tokens = self._merge(pooled, inputs)
        return self._join(tokens, (query_map,), inputs)

    @torch.no_grad()
    def encode_instances(
        self, inputs: EpisodeInputs, roles: Collection[str] = ROLES
    ) -> InstanceFeatures:
        """See the base class.

        Returns:
            ``as_support``: features at the keypoints, (N, K, in_channels);
            ``as_query``: the map (N, in_channels, H, W); empty without the role.
        """
        feature_map = self.extract_map(inputs.query_images)
        as_support = as_query = ()
        if 'support' in roles:
            keypoints = inputs.support_keypoints[:, 0]
            as_support = (self.head.pool(feature_map, keypoints),)
        if 'query' in roles:
            as_query = (feature_map,)
        return InstanceFeatures(as_support, as_query)

    def relate_shots(
        self, as_support: tuple[torch.Tensor, ...], inputs: EpisodeInputs
    ) -> torch.Tensor:
        """Merge the shots: (B, K, in_channels)."""
        return self._merge(as_support[0], inputs)

    def _merge(self, pooled: torch.Tensor, inputs: EpisodeInputs) -> torch.Tensor:
        visible = inputs.support_visible
        return self.head.merge_shots(pooled.unflatten(0, visible.shape[:2]), visible)

    def _join(
        self,
        tokens: torch.Tensor,
        maps: tuple[torch.Tensor, ...],
        inputs: EpisodeInputs,
    ) -> EpisodeContext:
        (query_map,) = maps
        rows = inputs.query_to_episode
        return EpisodeContext(
            keypoint_tokens=tokens[rows],
            # this head makes its own of the map
            query_tokens=query_map.flatten(2)[..., :0],
            fine_map=query_map,
            hops=inputs.hops[rows],
            is_known=self.head.known_keypoints(inputs.support_visible)[rows],
            num_steps=inputs.num_steps,
        )
