"""The images of predicted episodes, for hooks that draw some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ...structures import Episode, EpisodeDataSample


class EpisodeImages:
    """Reads like an :class:`~cape_mm.structures.ImageStack`, and stacks when asked.

    Args:
        ids: annotation ids of the images of each episode.
        image_of: uint8 BGR image (3, H, W) of an annotation id.
    """

    def __init__(
        self,
        ids: Sequence[Sequence[int]],
        image_of: Callable[[int], torch.Tensor],
    ) -> None:
        self.ids = ids
        self.image_of = image_of

    @classmethod
    def of_batch(
        cls,
        episodes: Sequence[Episode],
        samples: Sequence[EpisodeDataSample],
        image_of: Callable[[int], torch.Tensor],
    ) -> dict[str, EpisodeImages]:
        """``support`` and ``query`` images of a batch; none where nothing was loaded.

        Args:
            episodes: what was asked for.
            samples: what of it was loaded.
            image_of: image of an annotation id.
        """
        supports = [
            episode.support_ids if len(sample.query_slots) else ()
            for episode, sample in zip(episodes, samples)
        ]
        queries = [
            [episode.query_ids[slot] for slot in sample.query_slots]
            for episode, sample in zip(episodes, samples)
        ]
        return dict(support=cls(supports, image_of), query=cls(queries, image_of))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Images of one episode, uint8 (n, 3, H, W)."""
        ids = self.ids[index]
        if not len(ids):
            return torch.zeros(0, 3, 0, 0, dtype=torch.uint8)
        return torch.stack([self.image_of(ann_id) for ann_id in ids])
