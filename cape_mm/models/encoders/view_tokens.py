"""What support images show at their keypoints, in every view of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ..layers.feature_matching import centre_map, unit_samples
from ..layers.views import View, view_images

PLACES_PER_SIDE = 5
PLACES_SPREAD = 0.4
"""Places between which a grid is laid, as a fraction of the side from the centre."""


def view_tokens(
    extract: Callable[[torch.Tensor], Sequence[torch.Tensor]],
    images: torch.Tensor,
    keypoints: torch.Tensor,
    views: Sequence[View],
) -> tuple[torch.Tensor, ...]:
    """Features at the keypoints and at places spread over the image, view by view.

    Args:
        extract: from images (R, 3, H, H) to feature maps, one per level.
        images: normalised, (R, 3, H, H).
        keypoints: (x, y) in [0, 1], (R, K, 2).
        views: how the images are looked at, V of them.

    Returns:
        Per level (R, V, K + places, C), float32 of length 1.
    """
    along = torch.linspace(-PLACES_SPREAD, PLACES_SPREAD, PLACES_PER_SIDE)
    places = torch.cartesian_prod(along, along).to(keypoints)
    centred = torch.cat([keypoints - 0.5, places.expand(len(images), -1, -1)], dim=1)
    of_views = []
    for view in views:
        points = centred @ view.matrix().T.to(centred) + 0.5
        maps = extract(view_images(images, view))
        of_views.append([unit_samples(centre_map(level), points) for level in maps])
    return tuple(torch.stack(level, dim=1) for level in zip(*of_views))
