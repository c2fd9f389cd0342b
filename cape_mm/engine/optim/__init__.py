"""Optimizer wrappers, what builds them, and the guard of their updates."""

from .cpu_amp_optim_wrapper import CpuAmpOptimWrapper
from .merged_groups import MergedGroupsConstructor
from .update_guard import MicroBatch, UpdateGuard, gradient_norm

__all__ = [
    'CpuAmpOptimWrapper',
    'MergedGroupsConstructor',
    'MicroBatch',
    'UpdateGuard',
    'gradient_norm',
]
