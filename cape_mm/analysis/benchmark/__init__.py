"""How fast and how large a config's model is, measured on generated input."""

from .report import benchmark
from .settings import BenchmarkSettings

__all__ = ['BenchmarkSettings', 'benchmark']
