"""Procedural object categories, written to disk in MP-100's own layout."""

from .categories import ObjectCategory, make_category
from .rendering import Instance, Picture, render_picture
from .writer import SyntheticSummary, write_synthetic_mp100

__all__ = [
    'Instance',
    'ObjectCategory',
    'Picture',
    'SyntheticSummary',
    'make_category',
    'render_picture',
    'write_synthetic_mp100',
]
