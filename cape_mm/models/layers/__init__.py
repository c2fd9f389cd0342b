"""Building blocks: plain modules with explicit arguments."""

from .attention import HopBias, MultiHeadAttention, mask_to_bias
from .kv_cache import KVCache
from .position_encoding import PointEncoding, grid_points, sine_encoding
from .transformer import DecoderLayer, EncoderLayer, FeedForward

__all__ = [
    'DecoderLayer',
    'EncoderLayer',
    'FeedForward',
    'HopBias',
    'KVCache',
    'MultiHeadAttention',
    'PointEncoding',
    'grid_points',
    'mask_to_bias',
    'sine_encoding',
]
