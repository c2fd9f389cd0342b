"""Multi-head attention: an additive bias, that of graph distance, cached keys."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ...errors import ConfigError
from ...utils.value_checks import check_at_least


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention whose keys can be projected ahead of time.

    Unlike ``nn.MultiheadAttention`` it takes a bias per head and projects keys and
    values separately, which is what a key-value cache needs.

    Args:
        embed_dims: C.
        num_heads: must divide ``embed_dims``.
        value_dims: channels of what values are projected from; None: C.

    Raises:
        ConfigError: it does not.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, value_dims: int | None = None
    ) -> None:
        super().__init__()
        check_at_least('num_heads', num_heads, 1)
        if embed_dims % num_heads:
            raise ConfigError(
                f'embed_dims {embed_dims} is no multiple of num_heads {num_heads}'
            )
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dims, embed_dims)
        self.key = nn.Linear(embed_dims, embed_dims)
        self.value = nn.Linear(value_dims or embed_dims, embed_dims)
        self.out = nn.Linear(embed_dims, embed_dims)

    def project_kv(
        self, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of all heads.

        Args:
            key: (N, L, C).
            value: (N, L, C), or of ``value_dims`` channels.

        Returns:
            Both as (N, heads, L, C / heads).
        """
        return self._split(self.key(key)), self._split(self.value(value))

    def attend(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend with projected keys and values.

        Args:
            query: (N, T, C).
            keys: (N, heads, L, C / heads).
            values: (N, heads, L, C / heads).
            bias: added to the logits, broadcastable to (N, heads, T, L).

        Returns:
            (N, T, C).
        """
        heads = self._split(self.query(query))
        if bias is not None:
            bias = cast_bias(bias, heads.dtype)
        mixed = F.scaled_dot_product_attention(heads, keys, values, attn_mask=bias)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Project and attend; shapes as in :meth:`project_kv` and :meth:`attend`."""
        keys, values = self.project_kv(key, value)
        return self.attend(query, keys, values, bias)

    def _split(self, tokens: torch.Tensor) -> torch.Tensor:
        n, length, _ = tokens.shape
        return tokens.view(n, length, self.num_heads, -1).transpose(1, 2)


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


def cast_bias(bias: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A bias in another precision, in which its masked entries stay finite."""
    if bias.dtype == dtype:
        return bias
    lowest = max(torch.finfo(kind).min for kind in (dtype, bias.dtype)) / 2
    return bias.clamp(min=lowest).to(dtype)


def mask_to_bias(is_allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Additive attention bias of a boolean mask.

    The lowest finite number stands for "no": a row without any allowed key then
    averages over all keys instead of becoming NaN, in half precision too.

    Args:
        is_allowed: bool, any shape.
        dtype: floating type of the attention logits.

    Returns:
        0 where allowed, half the type's lowest finite number elsewhere, so that adding
        another bias can't overflow.
    """
    bias = torch.zeros(is_allowed.shape, dtype=dtype, device=is_allowed.device)
    return bias.masked_fill(~is_allowed, torch.finfo(dtype).min / 2)


class HopBias(nn.Module):
    """Learned attention bias by graph distance, one number per head and distance.

    Distances 0 .. ``max_hops`` have their own number; all larger ones, and pairs that
    no path connects, share one.

    Args:
        num_heads: attention heads.
        max_hops: largest distance that is told apart.

    Raises:
        ConfigError: a number can't be.
    """

    def __init__(self, num_heads: int, max_hops: int = 4) -> None:
        super().__init__()
        check_at_least('num_heads', num_heads, 1)
        check_at_least('max_hops', max_hops, 0)
        self.max_hops = max_hops
        self.bias = nn.Embedding(max_hops + 2, num_heads)
        nn.init.zeros_(self.bias.weight)

    def forward(self, hops: torch.Tensor) -> torch.Tensor:
        """Bias of all pairs.

        Args:
            hops: graph distances, int64 (N, T, L).

        Returns:
            (N, heads, T, L).
        """
        return self.bias(hops.clamp(max=self.max_hops + 1)).permute(0, 3, 1, 2)
