"""The images of a batch as one tensor that still reads like a list."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class ImageStack:
    """Images of several episodes, stored together, indexed by episode.

    Between a loader's worker and the training process every tensor costs a system call
    of its own; a batch of 64 episodes as 128 tensors keeps the process busy with that
    alone. This is one tensor per batch. It is no ``Sequence``: the loaders of older
    torch versions would pin the parts of one instead of calling :meth:`pin_memory`.

    Args:
        images: all images, uint8 (sum of counts, 3, H, W).
        counts: images of each episode; 0 is allowed.

    Raises:
        ValueError: the counts don't add up to the number of images.
    """

    def __init__(self, images: torch.Tensor, counts: Sequence[int]) -> None:
        if sum(counts) != len(images):
            raise ValueError(
                f'counts {list(counts)} add up to {sum(counts)}, but there are '
                f'{len(images)} images'
            )
        self.images = images
        self.counts = tuple(counts)

    @classmethod
    def from_list(cls, parts: Sequence[torch.Tensor]) -> ImageStack:
        """Stack the images of each episode, (n_i, 3, H, W), n_i may be 0."""
        filled = [part for part in parts if len(part)]
        images = torch.cat(filled) if filled else torch.zeros(0, 3, 0, 0).byte()
        return cls(images, [len(part) for part in parts])

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Images of one episode, a view (counts[index], 3, H, W)."""
        index = range(len(self))[index]
        start = sum(self.counts[:index])
        return self.images[start : start + self.counts[index]]

    def pin_memory(self) -> ImageStack:
        """The same images in page-locked memory; the data loader calls it."""
        return ImageStack(self.images.pin_memory(), self.counts)
