"""The estimator that compares the features of a backbone."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext

import torch
from mmpose.registry import MODELS

from ...errors import ConfigError
from ...structures import EpisodeInputs
from ..encoders.view_tokens import view_tokens
from ..heads.base import QueryTargets
from ..heads.matching_head import MatchingContext
from ..layers.feature_matching import centre_map, unit_samples
from ..layers.views import View
from .base import ROLES, BaseEpisodeEstimator, InstanceFeatures
from .parts import build_part, compare_normalisation


@MODELS.register_module()
class MatchingCAPE(BaseEpisodeEstimator):
    """Finds keypoints by comparing features of a backbone, which knows pictures well.

    Nothing stands between the backbone and the comparison, so a pretrained backbone
    works without any training, and a head can add what a comparison can't have.

    Args:
        backbone: config of a backbone, by default frozen: :class:`TimmBackbone` or any
            of MMPose, giving as many maps as the head weighs.
        head: config of a :class:`MatchingHead` or :class:`LayoutHead`.
        **kwargs: arguments of :class:`BaseEpisodeEstimator`.

    Raises:
        ConfigError: a part has no such option, or a value can't be.
    """

    adaptation_lr = 1e-4

    def __init__(self, backbone: dict, head: dict, **kwargs) -> None:
        super().__init__(**kwargs)
        self.backbone = build_part('backbone', backbone)
        self.to(memory_format=self.memory_format)
        compare_normalisation(self.data_preprocessor, self.backbone)
        self.head = build_part('head', head)
        self.views = getattr(self.head, 'views', [View()])
        levels = getattr(self.backbone, 'channels', self.head.matcher_weights)
        if len(levels) != len(self.head.matcher_weights):
            raise ConfigError(
                f'model.head.level_weights has {len(self.head.matcher_weights)} '
                f'numbers, but the backbone gives {len(levels)} feature maps'
            )
        self.head.check_mode(self.test_cfg['mode'])  # now, not after an epoch

    @property
    def learns_features(self) -> bool:
        """Some weight of the backbone is trained."""
        return any(weight.requires_grad for weight in self.backbone.parameters())

    def extract_maps(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Feature maps of images, without a graph where nothing in them learns.

        Raises:
            ConfigError: the images are not square.
        """
        if images.shape[-1] != images.shape[-2]:
            raise ConfigError(
                f'images are turned, so the input size must be square, got '
                f'{images.shape[-1]} x {images.shape[-2]}'
            )
        with nullcontext() if self.learns_features else torch.no_grad():
            return self.backbone(images.contiguous(memory_format=self.memory_format))

    def _encode_supports(
        self, images: torch.Tensor, keypoints: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        return view_tokens(self.extract_maps, images, keypoints, self.views)

    def _encode_queries(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(centre_map(level) for level in self.extract_maps(images))

    def encode(self, inputs: EpisodeInputs) -> MatchingContext:
        """Images and support keypoints to what the head compares."""
        tokens = self._encode_supports(
            inputs.support_images.flatten(0, 1), inputs.support_keypoints.flatten(0, 1)
        )
        return self._join(tokens, self._encode_queries(inputs.query_images), inputs)

    def _join(
        self,
        tokens: tuple[torch.Tensor, ...],
        maps: tuple[torch.Tensor, ...],
        inputs: EpisodeInputs,
    ) -> MatchingContext:
        shots = inputs.support_visible.shape[:2]
        return MatchingContext(
            tokens=tuple(level.unflatten(0, shots) for level in tokens),
            maps=maps,
            points=inputs.support_keypoints,
            is_visible=inputs.support_visible,
            hops=inputs.hops,
            rows=inputs.query_to_episode,
            num_steps=inputs.num_steps,
        )

    @torch.no_grad()
    def encode_instances(
        self, inputs: EpisodeInputs, roles: Collection[str] = ROLES
    ) -> InstanceFeatures:
        """See the base class.

        Returns:
            ``as_support``: per level tokens (N, V, T, C); ``as_query``: per level a
            centred map (N, C, H, W).
        """
        as_support = as_query = ()
        if 'support' in roles:
            as_support = self._encode_supports(
                inputs.query_images, inputs.support_keypoints[:, 0]
            )
        if 'query' in roles:
            as_query = self._encode_queries(inputs.query_images)
        return InstanceFeatures(as_support, as_query)

    def adaptable_parameters(self) -> list[str]:
        """Those of the backbone's later stages; the head knows nothing of a category.

        What lies before the finest map stays, in a backbone that can tell.
        """
        stem = getattr(self.backbone, 'stem_parameters', list)()
        kept = {id(parameter) for parameter in stem}
        return [
            f'backbone.{name}'
            for name, weight in self.backbone.named_parameters()
            if id(weight) not in kept
        ]

    def adaptation_loss(
        self, inputs: EpisodeInputs, targets: QueryTargets
    ) -> torch.Tensor:
        """Cross-entropy of the plain views' similarity maps, see the base class."""
        num = len(inputs.support_images)
        images = torch.cat([inputs.support_images[:, 0], inputs.query_images])
        maps = [centre_map(level) for level in self.extract_maps(images)]
        keypoints = inputs.support_keypoints[:, 0]
        tokens = [unit_samples(level[:num], keypoints)[:, None] for level in maps]
        context = self._join(tokens, tuple(level[num:] for level in maps), inputs)
        return self.head.matching_loss(context, targets)

    def relate_shots(
        self, as_support: tuple[torch.Tensor, ...], inputs: EpisodeInputs
    ) -> tuple[torch.Tensor, ...]:
        """The tokens as they are: every query weighs the shots' views anew."""
        return as_support
