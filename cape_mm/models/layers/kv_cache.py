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

    def extend(
        self, keys: torch.Tensor, values: torch.Tensor, num_kept: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values, some of them for this step only.

        Args:
            keys: (N, heads, L, C / heads).
            values: the same shape.
            num_kept: the first so many of the L stay; the next call overwrites the
                others.

        Returns:
            All keys and all values up to here, views (N, heads, length + L, C / heads).
        """
        end = self.length + keys.shape[2]
        assert end <= self.keys.shape[2], f'the cache holds {self.keys.shape[2]} steps'
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length += num_kept
        return self.keys[:, :, :end], self.values[:, :, :end]

    def filled(self) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values that stay, each (N, heads, length, C / heads)."""
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]
