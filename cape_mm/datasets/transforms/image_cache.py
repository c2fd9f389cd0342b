"""Decoded images in memory, bounded, each process its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

MIB = 2**20


class ImageCache:
    """Keeps the images used last, up to a number of MiB.

    Every worker of a data loader has a cache of its own: a copy that reaches another
    process by pickling starts empty.

    Args:
        max_mib: bound on the images' bytes; 0 keeps nothing.

    Raises:
        ValueError: the bound is negative.
    """

    def __init__(self, max_mib: float = 0) -> None:
        if max_mib < 0:
            raise ValueError(f'cache_mib must be at least 0, got {max_mib}')
        self.max_mib = max_mib
        self.num_bytes = 0
        self._entries: OrderedDict[Hashable, tuple[np.ndarray, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> tuple:
        return type(self), (self.max_mib,)

    def get(self, key: Hashable) -> tuple[np.ndarray, int] | None:
        """Image, read-only, and reduction, or None; it is now the one used last."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, image: np.ndarray, reduction: int) -> None:
        """Keep an image; drops those whose last use lies furthest back.

        An image that is larger than the whole cache is not kept. One that is kept
        becomes read-only: the next reader must find the same pixels.
        """
        limit = self.max_mib * MIB
        if image.nbytes > limit:
            return
        old, _ = self._entries.pop(key, (None, 0))
        self.num_bytes += image.nbytes - (0 if old is None else old.nbytes)
        image.flags.writeable = False
        self._entries[key] = image, reduction
        while self.num_bytes > limit:
            _, (dropped, _) = self._entries.popitem(last=False)
            self.num_bytes -= dropped.nbytes
