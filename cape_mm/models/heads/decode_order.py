"""In which order an autoregressive head visits the keypoints.

Every order puts the unknown keypoints last, so that a causal decoder never looks back
at one. The keypoint's index plays a part in two places only: where scores are equal,
which all are for a decoder without proposals, the lower index comes first; and the
random order of a test is one for all queries, by index. Otherwise permuting the
keypoints permutes the order.
"""

from __future__ import annotations

import numpy as np
import torch

from ...structures.skeleton import UNREACHABLE


def skeleton_order(
    hops: torch.Tensor, scores: torch.Tensor, is_known: torch.Tensor
) -> torch.Tensor:
    """Breadth first over the skeleton from the most confident keypoint.

    Keypoints at the same distance come by falling score; keypoints that no path
    connects to the first come after all others, by falling score.

    Args:
        hops: graph distances, int64 (N, K, K).
        scores: confidence in [0, 1], (N, K).
        is_known: bool (N, K).

    Returns:
        Keypoint indices in the order of decoding, int64 (N, K).
    """
    root = scores.masked_fill(~is_known, -1).argmax(dim=1)
    distance = hops[torch.arange(len(hops), device=hops.device), root]
    distance = distance.masked_fill(~is_known, UNREACHABLE + 1)
    # two stable sorts: beside a large distance, a sum would swallow close scores
    by_score = scores.argsort(dim=1, descending=True, stable=True)
    by_distance = take_in_order(distance, by_score).argsort(dim=1, stable=True)
    return take_in_order(by_score, by_distance)


def random_order(
    is_known: torch.Tensor, generator: torch.Generator | None = None
) -> torch.Tensor:
    """A random order per row, unknown keypoints last, int64 (N, K)."""
    rank = torch.rand(is_known.shape, device=is_known.device, generator=generator)
    return rank.masked_fill(~is_known, float('inf')).argsort(dim=1, stable=True)


def fixed_random_order(is_known: torch.Tensor) -> torch.Tensor:
    """The same random order in every row and batch, unknown keypoints last.

    A keypoint's rank depends on its index alone, so a prediction depends neither on the
    place of a query in its batch nor on how far K is padded.

    Args:
        is_known: bool (N, K).

    Returns:
        Keypoint indices in the order of decoding, int64 (N, K).
    """
    rank = np.random.default_rng(0).random(is_known.shape[1], dtype=np.float32)
    rows = torch.from_numpy(rank).to(is_known.device).expand(is_known.shape)
    return rows.masked_fill(~is_known, float('inf')).argsort(dim=1, stable=True)


def mixed_order(
    hops: torch.Tensor,
    scores: torch.Tensor,
    is_known: torch.Tensor,
    random_prob: float,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Random order for a share of the rows, skeleton order for the others.

    Args:
        hops: graph distances, int64 (N, K, K).
        scores: confidence in [0, 1], (N, K).
        is_known: bool (N, K).
        random_prob: share of rows in random order.
        generator: source of the choice; None is PyTorch's default.

    Returns:
        Keypoint indices in the order of decoding, int64 (N, K).
    """
    by_skeleton = skeleton_order(hops, scores, is_known)
    by_chance = random_order(is_known, generator)
    rows = torch.rand(len(hops), 1, device=hops.device, generator=generator)
    return torch.where(rows < random_prob, by_chance, by_skeleton)


def take_in_order(values: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Reorder the keypoints of every row: (N, K, ...) by (N, K) -> (N, K, ...)."""
    index = order.reshape(*order.shape, *[1] * (values.dim() - 2))
    return values.gather(1, index.expand(-1, -1, *values.shape[2:]))
