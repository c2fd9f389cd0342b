"""A resumed training goes on at the very batch."""

from __future__ import annotations

import pytest
from mmengine.hooks import Hook
from resumable_toy import (
    WITHIN_EPOCHS,
    assert_same_end,
    die,
    killed,
    train,
)
from torch.utils.data import DataLoader, Dataset

from cape_mm.engine.hooks import IterationSeedHook
from cape_mm.engine.loops.episode_train_loop import skipped_batches


class DieAt(Hook):
    """Kills the process at a point of the training."""

    priority = 'LOWEST'

    def __init__(self, point: str, step: int) -> None:
        self.point, self.step = point, step

    def _die(self, runner, *args, **kwargs) -> None:
        step = runner.epoch if self.point == 'after_val_epoch' else runner.iter
        if step == self.step:
            die()

    def __getattribute__(self, name):
        own = object.__getattribute__(self, '__dict__')
        if name == own.get('point'):
            return self._die
        return object.__getattribute__(self, name)


class Spy(Hook):
    """Notes the index of every batch and what was in it."""

    def __init__(self) -> None:
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.seen.append((runner.epoch, batch_idx, data_batch['data_samples'].tolist()))


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """An uninterrupted training."""
    return train(tmp_path_factory.mktemp('whole'), WITHIN_EPOCHS)


@pytest.mark.parametrize(
    ('point', 'step'),
    [
        *(('after_train_iter', 6), ('before_train_iter', 15)),
        *(('before_val_epoch', 10), ('after_val_epoch', 2)),
    ],
)
def test_resume_equals_the_uninterrupted_run(whole, tmp_path, point, step):
    hook = DieAt(point, step)
    assert killed(lambda: train(tmp_path, WITHIN_EPOCHS, hooks=[hook]))
    assert_same_end(whole, train(tmp_path, WITHIN_EPOCHS, resume=True))


def test_batches_before_are_left_out(tmp_path):
    hook = DieAt('after_train_iter', 16)
    assert killed(lambda: train(tmp_path, WITHIN_EPOCHS, hooks=[hook]))
    spy = Spy()
    train(tmp_path, WITHIN_EPOCHS, resume=True, hooks=[spy])
    assert spy.seen == [
        (1, index, [2 * index, 2 * index + 1]) for index in range(4, 10)
    ]


def test_seeds_of_iterations_matter(whole, tmp_path, monkeypatch):
    """What the test above would miss if it could not fail."""
    hook = DieAt('after_train_iter', 6)
    assert killed(lambda: train(tmp_path, WITHIN_EPOCHS, hooks=[hook]))
    monkeypatch.setattr(IterationSeedHook, 'before_train_iter', lambda *a, **k: None)
    with pytest.raises(AssertionError):
        assert_same_end(whole, train(tmp_path, WITHIN_EPOCHS, resume=True))


def test_other_length_of_the_epoch_begins_it_afresh(toy, tmp_path):
    hook = DieAt('after_train_iter', 6)
    assert killed(lambda: train(tmp_path, WITHIN_EPOCHS, hooks=[hook]))
    spy, loader = Spy(), toy.make_loader(length=12)
    runner = train(
        tmp_path, WITHIN_EPOCHS, resume=True, hooks=[spy], train_dataloader=loader
    )
    assert [index for _, index, _ in spy.seen] == [*range(6), *range(6)]
    assert 'an epoch had 10 batches on each of 1 processes and now has 6' in (
        toy.read_log(runner)
    )


class Numbers(Dataset):
    """0 ... 10, and which of them were asked for in this process."""

    def __init__(self) -> None:
        self.loaded = []

    def __len__(self) -> int:
        return 11

    def __getitem__(self, index: int) -> int:
        self.loaded.append(index)
        return index


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
