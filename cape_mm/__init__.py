"""Category-agnostic pose estimation on MMEngine and MMPose.

Importing the package repairs what keeps MMPose 1.3 from importing on a current PyTorch
(:mod:`cape_mm.compat`) and registers all components in MMPose's registries.
"""

from . import compat

compat.apply()

from . import datasets, engine, evaluation, models, visualization  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = [
    '__version__',
    'compat',
    'datasets',
    'engine',
    'evaluation',
    'models',
    'visualization',
]
