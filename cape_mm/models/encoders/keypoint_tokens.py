"""From support images and their marked keypoints to one token per keypoint."""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import nn

from ...errors import ConfigError
from ...utils.value_checks import check_at_least, check_positive
from ..layers import squared_cell_distances, zero_layer


def pool_shots(values: torch.Tensor, is_visible: torch.Tensor) -> torch.Tensor:
    """Mean over the shots in which a keypoint is visible.

    Args:
        values: (B, S, K, C).
        is_visible: bool (B, S, K).

    Returns:
        (B, K, C); zero where a keypoint is visible in no shot.
    """
    weights = is_visible.to(values.dtype)[..., None]
    return (values * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def gaussian_pool(
    feature_map: torch.Tensor, points: torch.Tensor, sigma: float
) -> torch.Tensor:
    """Gaussian-weighted mean of the features around points.

    Args:
        feature_map: (B, C, H, W).
        points: (x, y) in [0, 1], (B, K, 2); points outside use the nearest border.
        sigma: standard deviation in cells of the map.

    Returns:
        (B, K, C).
    """
    height, width = feature_map.shape[-2:]
    distances = squared_cell_distances(points.clamp(0, 1), height, width)
    weights = (-distances / (2 * sigma**2)).softmax(dim=-1)
    features = feature_map.flatten(2).transpose(1, 2)
    return weights.to(features.dtype) @ features


@MODELS.register_module()
class KeypointTokens(nn.Module):
    """Look at the support images where the keypoints are marked.

    A token is what the finest map shows there, plus a correction by all maps that
    starts at zero, so an untrained model already compares the query with that.

    Args:
        embed_dims: C of the feature maps and of the tokens.
        num_scales: how many feature maps the neck gives; all are looked at.
        sigma: width of the Gaussian window in cells of each map.
        look_at_image: False leaves the support image out (for ablation): all keypoints
            get the same token, and only coordinates and graph tell them apart.

    Raises:
        ConfigError: a value can't be.
    """

    def __init__(
        self,
        embed_dims: int,
        num_scales: int = 3,
        sigma: float = 1.0,
        look_at_image: bool = True,
    ) -> None:
        super().__init__()
        check_at_least('num_scales', num_scales, 2)  # places in the second map
        check_positive('sigma', sigma)
        self.num_scales = num_scales
        self.sigma = sigma
        self.look_at_image = look_at_image
        self.project = nn.Sequential(
            nn.Linear(embed_dims * num_scales, embed_dims),
            nn.GELU(),
            nn.Linear(embed_dims, embed_dims),
        )
        zero_layer(self.project[-1])

    def forward(
        self,
        feature_maps: list[torch.Tensor],
        keypoints: torch.Tensor,
        is_visible: torch.Tensor,
    ) -> torch.Tensor:
        """Pool, project, and merge the shots.

        Args:
            feature_maps: one per scale, each (B * S, C, H_i, W_i).
            keypoints: (x, y) in [0, 1] of the support crop, (B, S, K, 2).
            is_visible: bool (B, S, K).

        Returns:
            Appearance tokens (B, K, C); what they hold for a keypoint that is visible
            in no shot has no meaning.

        Raises:
            ConfigError: another number of maps than was announced.
        """
        if len(feature_maps) != self.num_scales:
            raise ConfigError(
                f'model.keypoint_tokens.num_scales={self.num_scales}, but the neck '
                f'gives {len(feature_maps)} feature maps (model.neck.num_outs)'
            )
        points = keypoints.flatten(0, 1)
        pooled = [gaussian_pool(fmap, points, self.sigma) for fmap in feature_maps]
        if not self.look_at_image:
            pooled = [torch.zeros_like(features) for features in pooled]
        tokens = pooled[0] + self.project(torch.cat(pooled, dim=-1))
        return pool_shots(tokens.unflatten(0, keypoints.shape[:2]), is_visible)
