"""Keys and values that later decoding steps look back at."""

from __future__ import annotations

import torch


class KVCache:
    """Pre-allocated keys and values of one attention layer.

    A plain object: it never enters a module, so never a checkpoint.

    Args:
        shape: (N, heads, capacity, C / heads).
        like: gives dtype and device.
    """

    def __init__(self, shape: tuple[int, int, int, int], like: torch.Tensor) -> None:
        self.keys = like.new_zeros(shape)
        self.values = like.new_zeros(shape)
        self.length = 0

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Add keys and values, each (N, heads, L, C / heads)."""
        end = self.length + keys.shape[2]
        assert end <= self.keys.shape[2], f'the cache holds {self.keys.shape[2]} steps'
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end

    def filled(self) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values so far, each (N, heads, length, C / heads)."""
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]
