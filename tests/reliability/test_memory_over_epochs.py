"""Memory does not grow with the epochs, in the training or in its workers."""

from __future__ import annotations

import sys

import pytest
from memory_over_epochs import growth, measure

WARM_UP = 6
"""Epochs in which libraries still allocate what they keep."""


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_resident_memory_is_flat(synthetic_root, tmp_path):
    options = ('train_dataloader.sampler.episodes_per_epoch=2',)
    plain = ('default_hooks.checkpoint.interval=100', 'train_cfg.val_interval=100')
    rows = measure(synthetic_root, tmp_path / 'w', 16, *options, *plain)
    assert len(rows) == 16
    assert all(len(row) >= 3 for row in rows)  # this process and two workers
    assert max(growth(rows, WARM_UP)) < 1.05
