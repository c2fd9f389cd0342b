"""What a model sees of a batch of episodes: tensors, and no query label among them."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class EpisodeInputs:
    """A batch of B episodes with N queries in all.

    Queries of all episodes are stacked in one dimension, so episodes may differ in
    their number of queries; ``query_to_episode`` leads every query to its own support.

    Attributes:
        support_images: normalised, float (B, S, 3, H, W).
        query_images: normalised, float (N, 3, H, W).
        support_keypoints: (x, y) in [0, 1] of the crop, float (B, S, K, 2); zero where
            not visible.
        support_visible: keypoint is visible in that shot, bool (B, S, K).
        hops: graph distance on the skeleton, int64 (B, K, K), ``UNREACHABLE`` without
            a path.
        query_to_episode: row of each query's episode, int64 (N,).
        num_steps: largest number of support-visible keypoints in the batch: a decoder
            needs no more steps. A plain int, so no device has to be waited for.
    """

    support_images: torch.Tensor
    query_images: torch.Tensor
    support_keypoints: torch.Tensor
    support_visible: torch.Tensor
    hops: torch.Tensor
    query_to_episode: torch.Tensor
    num_steps: int

    @property
    def is_known(self) -> torch.Tensor:
        """Keypoint is visible in at least one shot, bool (B, K); padding is False."""
        return self.support_visible.any(dim=1)

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All but ``num_steps``, in the order of the constructor."""
        return (
            self.support_images,
            self.query_images,
            self.support_keypoints,
            self.support_visible,
            self.hops,
            self.query_to_episode,
        )
