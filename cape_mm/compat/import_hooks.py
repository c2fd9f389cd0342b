"""Import hooks: placeholder modules, and mmdet lent to one MMPose module."""

from __future__ import annotations

import contextlib
import importlib.machinery
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

RTMO_HEAD = 'mmpose.models.heads.hybrid_heads.rtmo_head'


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


class RtmoFinder:
    """Finds MMPose's rtmo_head as usual, but has it executed with mmdet lent."""

    def find_spec(self, name, path=None, target=None):
        if name != RTMO_HEAD:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = _RtmoLoader(name, spec.origin)
        return spec


class _RtmoLoader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _lent_mmdet():
            super().exec_module(module)


@contextlib.contextmanager
def _lent_mmdet() -> Iterator[None]:
    from mmpose.utils.dist_utils import reduce_mean
    from mmpose.utils.typing import ConfigType

    lent = {name: ModuleType(name) for name in ('mmdet', 'mmdet.utils')}
    lent['mmdet.utils'].ConfigType = ConfigType
    lent['mmdet.utils'].reduce_mean = reduce_mean
    before = {name: sys.modules[name] for name in lent if name in sys.modules}
    sys.modules.update(lent)
    try:
        yield
    finally:
        for name in lent:
            del sys.modules[name]
        sys.modules.update(before)
