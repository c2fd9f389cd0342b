"""An import hook: modules that are completed by a function."""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Callable
from types import ModuleType


class PlaceholderFinder:
    """Finder and loader of the modules that :meth:`serve` was told about."""

    def __init__(self) -> None:
        self._fill: dict[str, Callable[[ModuleType], None]] = {}

    def serve(self, name: str, fill: Callable[[ModuleType], None]) -> None:
        """Let ``import name`` give a new module that ``fill(module)`` completes."""
        self._fill[name] = fill
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        if name not in self._fill:
            return None
        is_package = any(other.startswith(f'{name}.') for other in self._fill)
        return importlib.machinery.ModuleSpec(
            name, self, origin='cape_mm.compat', is_package=is_package
        )

    def create_module(self, spec):
        return None

    def exec_module(self, module: ModuleType) -> None:
        self._fill[module.__name__](module)
