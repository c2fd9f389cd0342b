"""What surrounds the training loop: hooks, evaluation loops, optimizer wrappers."""

from . import hooks, loops
from .optim import CpuAmpOptimWrapper, MergedGroupsConstructor

__all__ = ['CpuAmpOptimWrapper', 'MergedGroupsConstructor', 'hooks', 'loops']
