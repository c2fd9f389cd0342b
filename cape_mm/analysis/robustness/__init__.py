"""How much a checkpoint loses where the input is disturbed."""

from .catalogue import CATALOGUE
from .running import measure_robustness

__all__ = ['CATALOGUE', 'measure_robustness']
