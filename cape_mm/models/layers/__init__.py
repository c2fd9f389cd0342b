"""Building blocks: plain modules with explicit arguments."""

from .attention import HopBias, KVCache, MultiHeadAttention, cast_bias, mask_to_bias
from .cuda_graphs import CudaGraphs, record
from .group_norm import AmpGroupNorm
from .position_encoding import (
    PointEncoding,
    grid_points,
    sine_encoding,
    squared_cell_distances,
)
from .transformer import DecoderLayer, EncoderLayer, FeedForward, zero_layer

__all__ = [
    'AmpGroupNorm',
    'CudaGraphs',
    'DecoderLayer',
    'EncoderLayer',
    'FeedForward',
    'HopBias',
    'KVCache',
    'MultiHeadAttention',
    'PointEncoding',
    'cast_bias',
    'grid_points',
    'mask_to_bias',
    'record',
    'sine_encoding',
    'squared_cell_distances',
    'zero_layer',
]
