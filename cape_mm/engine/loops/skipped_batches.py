"""A data loader that begins in the middle of its epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from torch.utils.data import BatchSampler, DataLoader, Sampler


class _LaterSampler(Sampler):
    """The rest of a sampler's epoch; its length is that of the whole epoch."""

    def __init__(self, sampler: Sampler, num_skipped: int) -> None:
        self.sampler = sampler
        self.num_skipped = num_skipped

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self.sampler), self.num_skipped, None)

    def __len__(self) -> int:
        return len(self.sampler)


@contextmanager
def skipped_batches(loader: DataLoader, num_skipped: int) -> Iterator[Iterator[Any]]:
    """The batches of an epoch without the first ones.

    Nothing is loaded for those where the loader's batches are PyTorch's own slices of
    a sampler; otherwise they are loaded and dropped.

    Args:
        loader: its length stays that of the whole epoch.
        num_skipped: how many batches to leave out.

    Yields:
        An iterator over the other batches, to be used up inside.
    """
    batches = loader.batch_sampler
    if num_skipped == 0:
        yield iter(loader)
    elif type(batches) is not BatchSampler:
        yield islice(iter(loader), num_skipped, None)
    else:
        whole = batches.sampler
        batches.sampler = _LaterSampler(whole, num_skipped * batches.batch_size)
        try:
            yield iter(loader)
        finally:
            batches.sampler = whole
