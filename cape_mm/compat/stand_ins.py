"""What stands for modules that are absent: each ``fill_*`` completes an empty one."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from types import ModuleType


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
