"""Cached images: bounded, the latest kept, each process its own."""

import pickle

import numpy as np
import pytest

from cape_mm.datasets.transforms.image_cache import MIB, ImageCache


def image(value, kib=256):
    return np.full(kib * 1024, value, dtype=np.uint8)


def test_the_bound_holds_and_the_last_used_stay():
    cache = ImageCache(max_mib=1)  # 4 images of 256 KiB
    for name in 'abcd':
        cache.put(name, image(0), 1)
    cache.get('a')
    cache.put('e', image(1), 1)
    assert cache.get('b') is None
    assert all(cache.get(name) is not None for name in 'acde')
    for i in range(50):
        cache.put(i, image(0, kib=1 + 37 * i % 500), 1)
        total = sum(entry.nbytes for entry, _ in cache._entries.values())
        assert cache.num_bytes == total <= MIB


def test_entry_is_what_was_put_and_cannot_be_changed():
    cache = ImageCache(1)
    cache.put('a', image(7), 4)
    found, reduction = cache.get('a')
    assert reduction == 4 and found[0] == 7
    with pytest.raises(ValueError, match='read-only'):
        found[0] = 1


def test_what_is_larger_than_the_cache_is_not_kept():
    cache = ImageCache(1)
    cache.put('a', image(0), 1)
    large = image(0, kib=2000)
    cache.put('b', large, 1)
    assert cache.get('b') is None and cache.get('a') is not None
    assert large.flags.writeable


def test_nothing_is_kept_by_default():
    cache = ImageCache()
    cache.put('a', image(0), 1)
    assert len(cache) == 0


def test_another_process_starts_empty():
    cache = ImageCache(1)
    cache.put('a', image(0), 1)
    again = pickle.loads(pickle.dumps(cache))
    assert (len(again), again.num_bytes, again.max_mib) == (0, 0, 1)


def test_negative_bound():
    with pytest.raises(ValueError, match='at least 0, got -1'):
        ImageCache(-1)
