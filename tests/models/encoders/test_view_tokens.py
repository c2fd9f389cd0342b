"""What supports show at their keypoints, in every view of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cape_mm.models.encoders.view_tokens import PLACES_PER_SIDE, view_tokens
from cape_mm.models.layers.feature_matching import centre_map, unit_samples
from cape_mm.models.layers.views import View, all_views, view_images

QUARTERS = all_views(4, mirror=True)


def pooled(images: Tensor) -> list[Tensor]:
    """Maps that turn and mirror as the images do."""
    return [F.avg_pool2d(images, size) for size in (2, 4)]


def moved(images: Tensor) -> list[Tensor]:
    """Maps that do not: a filter that knows left from right."""
    kernel = torch.tensor([[0.0, 0.0, 0.0], [-1.0, 0.5, 2.0], [0.3, 0.0, 0.0]])
    return [F.conv2d(images, kernel.expand(4, 3, 3, 3) * torch.rand(4, 1, 1, 1))]


def test_the_plain_view_is_the_map_at_the_keypoints(rng):
    images = torch.randn(2, 3, 16, 16, generator=rng)
    points = torch.rand(2, 5, 2, generator=rng)
    for level, tokens in zip(
        pooled(images), view_tokens(pooled, images, points, [View()])
    ):
        assert tokens.shape == (2, 1, 5 + PLACES_PER_SIDE**2, 3)
        expected = unit_samples(centre_map(level), points)
        torch.testing.assert_close(tokens[:, 0, :5], expected)


def test_every_view_shows_the_same_where_features_turn_with_the_image(rng):
    images = torch.randn(2, 3, 16, 16, generator=rng)
    points = torch.rand(2, 5, 2, generator=rng)
    for tokens in view_tokens(pooled, images, points, QUARTERS):
        expected = tokens[:, :1].expand_as(tokens)
        torch.testing.assert_close(tokens, expected, atol=1e-4, rtol=0)


def test_a_view_is_the_plain_view_of_the_viewed_image(rng):
    images = torch.randn(2, 3, 16, 16, generator=rng)
    points = torch.rand(2, 5, 2, generator=rng)
    view = View(90, True)
    torch.manual_seed(0)
    (own,) = view_tokens(moved, images, points, [view])
    torch.manual_seed(0)
    turned = (points - 0.5) @ view.matrix().T + 0.5
    (plain,) = view_tokens(moved, view_images(images, view), turned, [View()])
    torch.testing.assert_close(own[:, :, :5], plain[:, :, :5], atol=1e-4, rtol=0)
    torch.manual_seed(0)
    (other,) = view_tokens(moved, images, points, [View()])
    assert (own - other).abs().max() > 0.1
