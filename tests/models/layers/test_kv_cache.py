"""The key-value cache is a plain, bounded list."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cape_mm.models.layers import KVCache


def test_gives_back_what_was_added_in_order(rng):
    keys = torch.randn(2, 3, 4, 5, generator=rng)
    cache = KVCache((2, 3, 6, 5), keys)
    assert cache.filled()[0].shape == (2, 3, 0, 5)
    cache.extend(keys[:, :, :1], -keys[:, :, :1], 1)
    cache.extend(keys[:, :, 1:], -keys[:, :, 1:], 3)
    assert cache.length == 4
    assert torch.equal(cache.filled()[0], keys)
    assert torch.equal(cache.filled()[1], -keys)


def test_what_is_not_kept_is_seen_once(rng):
    keys = torch.randn(1, 1, 4, 2, generator=rng)
    cache = KVCache((1, 1, 3, 2), keys)
    seen, _ = cache.extend(keys[:, :, :2], keys[:, :, :2], 1)
    assert torch.equal(seen, keys[:, :, :2])
    seen, values = cache.extend(keys[:, :, 2:], -keys[:, :, 2:], 1)
    assert torch.equal(seen, keys[:, :, [0, 2, 3]])
    assert torch.equal(values[:, :, 1:], -keys[:, :, 2:])
    assert torch.equal(cache.filled()[0], keys[:, :, [0, 2]])


def test_takes_type_from_the_keys():
    cache = KVCache((1, 1, 2, 4), torch.zeros(1, dtype=torch.bfloat16))
    assert cache.keys.dtype == cache.values.dtype == torch.bfloat16


def test_refuses_more_steps_than_it_was_made_for():
    cache = KVCache((1, 1, 2, 4), torch.zeros(1))
    with pytest.raises(AssertionError, match='the cache holds 2 steps'):
        cache.extend(torch.zeros(1, 1, 3, 4), torch.zeros(1, 1, 3, 4), 3)


def test_is_no_module_so_it_never_enters_a_checkpoint():
    owner = nn.Module()
    owner.cache = KVCache((1, 1, 2, 4), torch.zeros(1))
    assert not isinstance(owner.cache, nn.Module)
    assert not owner.state_dict()
