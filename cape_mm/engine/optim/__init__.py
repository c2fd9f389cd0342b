"""Optimizer wrappers, what builds them, and the guard of their updates."""

from .optimizers import CpuAmpOptimWrapper, MergedGroupsConstructor
from .update_guard import MicroBatch, UpdateGuard, gradient_norm

__all__ = [
    'CpuAmpOptimWrapper',
    'MergedGroupsConstructor',
    'MicroBatch',
    'UpdateGuard',
    'gradient_norm',
]
