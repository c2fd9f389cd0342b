"""The toy project of ``toy_project.py`` as a fixture."""

from toy_project import toy_config

__all__ = ['toy_config']
