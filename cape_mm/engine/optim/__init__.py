"""Optimizer wrappers, and the guard of their updates."""

from .cpu_amp_optim_wrapper import CpuAmpOptimWrapper
from .update_guard import MicroBatch, UpdateGuard, gradient_norm

__all__ = ['CpuAmpOptimWrapper', 'MicroBatch', 'UpdateGuard', 'gradient_norm']
