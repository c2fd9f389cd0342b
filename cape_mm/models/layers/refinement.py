"""Layers of the methods that match once and then refine all keypoints together."""

from __future__ import annotations

import math

import torch
from torch import nn

from .attention import MultiHeadAttention
from .position_encoding import grid_points


def wave_encoding(values: torch.Tensor, num_dims: int) -> torch.Tensor:
    """Sines and cosines in turn, of wave lengths from 1 to nearly 10,000.

    Args:
        values: any numbers, (...).
        num_dims: size of the encoding, even.

    Returns:
        (..., num_dims).
    """
    exponents = torch.arange(num_dims // 2, device=values.device) * (2 / num_dims)
    angles = values[..., None] * 2 * math.pi / 10000**exponents
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def encode_places(points: torch.Tensor, num_dims: int) -> torch.Tensor:
    """Encoding of (x, y) in [0, 1], (..., 2) -> (..., num_dims): of y, then of x."""
    return wave_encoding(points.flip(-1), num_dims // 2).flatten(-2)


def encode_cells(
    height: int,
    width: int,
    num_dims: int,
    device: torch.device | None = None,
    whole_width: int | None = None,
) -> torch.Tensor:
    """Encoding of a map's cells, counted from 1 and divided by their number.

    Args:
        height: of the map.
        width: of the map.
        num_dims: size of the encoding.
        device: of the result.
        whole_width: what columns are divided by; None: ``width``.

    Returns:
        (height * width, num_dims).
    """
    ys = torch.arange(1, height + 1, device=device) / (height + 1e-6)
    xs = torch.arange(1, width + 1, device=device) / ((whole_width or width) + 1e-6)
    grid_y, grid_x = torch.meshgrid(ys, xs, indexing='ij')
    return encode_places(torch.stack([grid_x, grid_y], dim=-1), num_dims).flatten(0, 1)


class PostNormEncoderLayer(nn.Module):
    """Self-attention and a feed-forward network, each normalised after it is added.

    Args:
        embed_dims: C.
        num_heads: attention heads.
        hidden_dims: width of the feed-forward network.
        dropout: probability in it and after either part.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, hidden_dims: int, dropout: float
    ) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(embed_dims, num_heads)
        self.norm_attention = nn.LayerNorm(embed_dims)
        self.feed_forward = PlainFeedForward(embed_dims, hidden_dims, dropout)
        self.norm_feed_forward = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: torch.Tensor, places: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        """Let tokens look at each other.

        Args:
            tokens: (N, T, C).
            places: added to the tokens for good, broadcastable to them.
            bias: of the attention, broadcastable to (N, heads, T, T).

        Returns:
            (N, T, C).
        """
        tokens = tokens + places
        change = self.attention(tokens, tokens, tokens, bias)
        tokens = self.norm_attention(tokens + self.dropout(change))
        change = self.feed_forward(tokens)
        return self.norm_feed_forward(tokens + self.dropout(change))


class PlainFeedForward(nn.Sequential):
    """Two linear layers with a ReLU between them, every token by itself.

    Args:
        embed_dims: C.
        hidden_dims: width between them.
        dropout: probability on the hidden layer.
    """

    def __init__(self, embed_dims: int, hidden_dims: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(embed_dims, hidden_dims),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dims, embed_dims),
        )

    def forward(
        self, tokens: torch.Tensor, graph: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(N, K, C) -> (N, K, C); a graph is not looked at."""
        return super().forward(tokens)


class GraphFeedForward(nn.Module):
    """A graph convolution of a keypoint and its neighbours, then a linear layer.

    Args:
        embed_dims: C.
        hidden_dims: width between them.
        dropout: probability on the hidden layer.
    """

    def __init__(self, embed_dims: int, hidden_dims: int, dropout: float) -> None:
        super().__init__()
        self.spread = nn.Linear(embed_dims, 2 * hidden_dims)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden_dims, embed_dims)

    def forward(self, tokens: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        """Mix along the edges.

        Args:
            tokens: (N, K, C).
            graph: what every keypoint (row) gives to every other (column), itself and
                neighbours apart, (N, 2, K, K), see :func:`graph_weights`.

        Returns:
            (N, K, C).
        """
        own, given = self.spread(tokens).chunk(2, dim=-1)
        to_itself, to_others = graph.to(own.dtype).transpose(2, 3).unbind(1)
        mixed = torch.relu(to_itself @ own + to_others @ given)
        return self.out(self.dropout(mixed))


def graph_weights(hops: torch.Tensor, is_known: torch.Tensor) -> torch.Tensor:
    """Weights of a graph convolution.

    Args:
        hops: graph distances, int64 (N, K, K).
        is_known: keypoints that take part, bool (N, K).

    Returns:
        float32 (N, 2, K, K): 1 from a known keypoint to itself; from it to each of its
        known neighbours 1 / their number, so an empty skeleton gives zeros.
    """
    are_known = is_known[:, :, None] & is_known[:, None]
    own = ((hops == 0) & are_known).float()
    neighbours = ((hops == 1) & are_known).float()
    shares = neighbours / neighbours.sum(dim=-1, keepdim=True).clamp(min=1)
    return torch.stack([own, shares], dim=1)


class SimilarityProposals(nn.Module):
    """Compare keypoint tokens with the cells of a map; a token shapes its own filter.

    Args:
        embed_dims: C.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.of_keypoints = nn.Linear(embed_dims, embed_dims)
        self.of_cells = nn.Linear(embed_dims, embed_dims)
        self.gate = nn.Sequential(
            nn.Linear(embed_dims, embed_dims // 2),
            nn.ReLU(),
            nn.Linear(embed_dims // 2, embed_dims),
            nn.Tanh(),
        )

    def forward(
        self, cells: torch.Tensor, tokens: torch.Tensor, size: tuple[int, int]
    ) -> torch.Tensor:
        """(N, H*W, C), (N, K, C), (H, W) -> similarities (N, K, H, W)."""
        searched = self.of_keypoints(tokens)
        searched = searched * (1 + self.gate(searched))
        return (searched @ self.of_cells(cells).transpose(1, 2)).unflatten(2, size)


class RefinementLayer(nn.Module):
    """Keypoints look at each other, then at the image; content and place side by side.

    Args:
        embed_dims: C.
        num_heads: attention heads.
        dropout: probability after every part.
        feed_forward: :class:`PlainFeedForward` or :class:`GraphFeedForward`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        dropout: float,
        feed_forward: nn.Module,
    ) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(embed_dims, num_heads)
        self.norm_self = nn.LayerNorm(embed_dims)
        self.cross_attention = MultiHeadAttention(
            2 * embed_dims, num_heads, value_dims=embed_dims
        )
        self.squeeze = nn.Linear(2 * embed_dims, embed_dims)
        self.norm_cross = nn.LayerNorm(embed_dims)
        self.feed_forward = feed_forward
        self.norm_feed_forward = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        tokens: torch.Tensor,
        places: torch.Tensor,
        cells: torch.Tensor,
        cell_places: torch.Tensor,
        bias: torch.Tensor,
        graph: torch.Tensor | None,
    ) -> torch.Tensor:
        """Refine the keypoints' tokens.

        Args:
            tokens: (N, K, C).
            places: of the keypoints, (N, K, C).
            cells: of the image, (N, L, C).
            cell_places: (L, C).
            bias: of the keypoints' attention, broadcastable to (N, heads, K, K).
            graph: for the feed-forward network.

        Returns:
            (N, K, C).
        """
        placed = tokens + places
        change = self.self_attention(placed, placed, tokens, bias)
        tokens = self.norm_self(tokens + self.dropout(change))
        asked = torch.cat([tokens, places], dim=-1)
        keys = torch.cat([cells, cell_places.expand_as(cells)], dim=-1)
        change = self.squeeze(self.cross_attention(asked, keys, cells))
        tokens = self.norm_cross(tokens + self.dropout(change))
        change = self.feed_forward(tokens, graph)
        return self.norm_feed_forward(tokens + self.dropout(change))


def inverse_sigmoid(points: torch.Tensor, floor: float = 1e-3) -> torch.Tensor:
    """Logits of numbers in [0, 1], finite at both ends."""
    points = points.clamp(0, 1)
    return points.clamp(min=floor).log() - (1 - points).clamp(min=floor).log()


def soft_argmax(logits: torch.Tensor) -> torch.Tensor:
    """Mean place of a whole heat map, (x, y) in [0, 1], (N, K, H, W) -> (N, K, 2)."""
    cells = grid_points(*logits.shape[-2:], logits.device)
    # no matrix product: autocast would round coordinates to bfloat16
    weights = logits.float().flatten(2).softmax(dim=-1)
    return (weights[..., None] * cells).sum(dim=-2)
