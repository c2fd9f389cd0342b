"""A data loader that begins in the middle of its epoch."""

from __future__ import annotations

import pytest
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler

from cape_mm.engine.loops.skipped_batches import skipped_batches


class Numbers(Dataset):
    """0 ... 10, and which of them were asked for in this process."""

    def __init__(self) -> None:
        self.loaded = []

    def __len__(self) -> int:
        return 11

    def __getitem__(self, index: int) -> int:
        self.loaded.append(index)
        return index


class OwnBatches(BatchSampler):
    """Not PyTorch's own slices."""


def read(loader: DataLoader, num_skipped: int) -> list[list[int]]:
    with skipped_batches(loader, num_skipped) as batches:
        assert len(loader) == -(-11 // 3)
        return [batch.tolist() for batch in batches]


@pytest.mark.parametrize('num_workers', [0, 2])
@pytest.mark.parametrize('num_skipped', [0, 1, 3, 4])
def test_the_rest_of_an_epoch(num_workers, num_skipped):
    keep = num_workers > 0
    loader = DataLoader(Numbers(), 3, num_workers=num_workers, persistent_workers=keep)
    all_batches = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10]]
    assert read(loader, num_skipped) == all_batches[num_skipped:]
    assert read(loader, 0) == all_batches


def test_nothing_is_loaded_for_what_is_left_out():
    loader = DataLoader(Numbers(), 3)
    assert read(loader, 2) == [[6, 7, 8], [9, 10]]
    assert loader.dataset.loaded == [6, 7, 8, 9, 10]


def test_batches_of_another_kind_are_loaded_and_dropped():
    numbers = Numbers()
    batches = OwnBatches(SequentialSampler(numbers), 3, False)
    assert read(DataLoader(numbers, batch_sampler=batches), 2) == [[6, 7, 8], [9, 10]]
    assert numbers.loaded == list(range(11))
