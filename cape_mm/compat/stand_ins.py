"""What stands for modules that are absent: each ``fill_*`` completes an empty one.

:class:`PlaceholderFinder` makes ``import`` find them.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
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


def fill_mmcv_ext(module: ModuleType) -> None:
    """``mmcv._ext``: every compiled op is there, and refuses to run."""
    module.get_compiler_version = lambda: 'not compiled'
    module.get_compiling_cuda_version = lambda: 'not compiled'
    module.__getattr__ = missing_op


def missing_op(name: str) -> Callable:
    """An op that raises when it is called."""
    if name.startswith('__'):
        raise AttributeError(f'mmcv._ext (placeholder) has no attribute {name}')

    def op(*args, **kwargs):
        raise RuntimeError(
            f'The op {name!r} needs compiled mmcv, but mmcv-lite is installed. Use a '
            'model without it, or an environment with mmcv 2.1 built for its torch.'
        )

    return op


def fill_cocoeval(module: ModuleType) -> None:
    """``xtcocotools.cocoeval``: pycocotools' gives other numbers, so none at all."""

    def refuse(*args, **kwargs):
        raise NotImplementedError(
            'COCO average precision needs the real xtcocotools (with NumPy 1)'
        )

    module.COCOeval = refuse
    module.Params = importlib.import_module('pycocotools.cocoeval').Params


class DistributionNotFound(Exception):
    """Stands for ``pkg_resources.DistributionNotFound``."""


class Distribution:
    """The part of ``pkg_resources.Distribution`` that MMEngine reads."""

    def __init__(self, name: str) -> None:
        try:
            self._distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise DistributionNotFound(name) from error
        self.project_name = self._distribution.metadata['Name']
        self.version = self._distribution.version
        self.location = str(self._distribution.locate_file(''))

    def has_metadata(self, name: str) -> bool:
        return self._distribution.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        text = self._distribution.read_text(name)
        if text is None:
            raise FileNotFoundError(f'{self.project_name} has no metadata file {name}')
        return text


def fill_pkg_resources(module: ModuleType) -> None:
    """``pkg_resources``, as far as MMEngine takes names from it."""
    module.DistributionNotFound = DistributionNotFound
    module.get_distribution = Distribution
