"""The earlier place of :mod:`cape_mm.utils.atomic_write`."""

from .utils.atomic_write import *  # noqa: F403
