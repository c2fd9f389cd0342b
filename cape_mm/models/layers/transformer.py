"""Pre-norm transformer layers."""

from __future__ import annotations

import torch
from torch import nn

from .attention import KVCache, MultiHeadAttention

KeysValues = tuple[torch.Tensor, torch.Tensor]


def zero_layer(layer: nn.Linear | nn.Conv2d) -> None:
    """Set weight and bias to zero.

    For the last layer of a branch that is added to something: the branch starts out
    adding nothing and learns from there, since the gradient of its last layer does not
    depend on that layer's own weights.
    """
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between them.

    Args:
        embed_dims: C.
        expansion: hidden width as a multiple of C.
        dropout: probability on the hidden layer.
    """

    def __init__(self, embed_dims: int, expansion: int = 4, dropout: float = 0.0):
        super().__init__(
            nn.Linear(embed_dims, embed_dims * expansion),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(embed_dims * expansion, embed_dims),
        )


class EncoderLayer(nn.Module):
    """Self-attention with an additive bias, then a feed-forward network.

    Both start out adding nothing, so that an untrained stack hands its input on.

    Args:
        embed_dims: C.
        num_heads: attention heads.
        expansion: width of the feed-forward network as a multiple of C.
        dropout: probability after either part.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int = 8,
        expansion: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(embed_dims)
        self.attention = MultiHeadAttention(embed_dims, num_heads)
        self.norm_feed_forward = nn.LayerNorm(embed_dims)
        self.feed_forward = FeedForward(embed_dims, expansion, dropout)
        self.dropout = nn.Dropout(dropout)
        zero_layer(self.attention.out)
        zero_layer(self.feed_forward[-1])

    def forward(
        self, tokens: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(N, T, C) -> (N, T, C); ``bias`` broadcastable to (N, heads, T, T)."""
        normed = self.norm_attention(tokens)
        tokens = tokens + self.dropout(self.attention(normed, normed, normed, bias))
        change = self.feed_forward(self.norm_feed_forward(tokens))
        return tokens + self.dropout(change)


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention to the query image, feed-forward network.

    Args:
        embed_dims: C.
        num_heads: attention heads.
        expansion: width of the feed-forward network as a multiple of C.
        dropout: probability after every part.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int = 8,
        expansion: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(embed_dims)
        self.self_attention = MultiHeadAttention(embed_dims, num_heads)
        self.norm_cross = nn.LayerNorm(embed_dims)
        self.cross_attention = MultiHeadAttention(embed_dims, num_heads)
        self.norm_feed_forward = nn.LayerNorm(embed_dims)
        self.feed_forward = FeedForward(embed_dims, expansion, dropout)
        self.dropout = nn.Dropout(dropout)

    def project_memory(self, memory: torch.Tensor) -> KeysValues:
        """Cross-attention keys and values of the query image, (N, L, C) each once."""
        return self.cross_attention.project_kv(memory, memory)

    def forward(
        self,
        tokens: torch.Tensor,
        memory: KeysValues,
        bias: torch.Tensor,
        num_skipped: int = 0,
    ) -> torch.Tensor:
        """All positions at once.

        Args:
            tokens: (N, T, C).
            memory: what :meth:`project_memory` returned.
            bias: self-attention bias, (N, heads, T, T).
            num_skipped: the first so many of the T positions are looked at, but what
                becomes of them is not computed.

        Returns:
            (N, T - num_skipped, C).
        """
        normed = self.norm_self(tokens)
        change = self.self_attention(
            normed[:, num_skipped:], normed, normed, bias[:, :, num_skipped:]
        )
        tokens = tokens[:, num_skipped:] + self.dropout(change)
        return self._finish(tokens, memory)

    def step(
        self,
        tokens: torch.Tensor,
        memory: KeysValues,
        cache: KVCache,
        bias: torch.Tensor,
        num_kept: int,
    ) -> torch.Tensor:
        """A few positions that look back at the cache.

        Args:
            tokens: (N, T, C).
            memory: what :meth:`project_memory` returned.
            cache: keys and values of all earlier positions.
            bias: (N, heads, T, cache length + T).
            num_kept: the first so many of the T positions enter the cache.

        Returns:
            (N, T, C).
        """
        normed = self.norm_self(tokens)
        keys, values = self.self_attention.project_kv(normed, normed)
        all_keys, all_values = cache.extend(keys, values, num_kept)
        change = self.self_attention.attend(normed, all_keys, all_values, bias)
        return self._finish(tokens + self.dropout(change), memory)

    def _finish(self, tokens: torch.Tensor, memory: KeysValues) -> torch.Tensor:
        change = self.cross_attention.attend(self.norm_cross(tokens), *memory)
        tokens = tokens + self.dropout(change)
        change = self.feed_forward(self.norm_feed_forward(tokens))
        return tokens + self.dropout(change)
