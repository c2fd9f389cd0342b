"""The names that MMEngine takes from pkg_resources, on importlib.metadata."""

from __future__ import annotations

import importlib.metadata
from types import ModuleType


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


def fill(module: ModuleType) -> None:
    module.DistributionNotFound = DistributionNotFound
    module.get_distribution = Distribution
