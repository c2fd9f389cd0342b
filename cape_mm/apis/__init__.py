"""Training and testing, and what is checked before they start."""

from .cli import run_cli
from .config_checks import check_config
from .config_loading import load_config
from .config_options import parse_cfg_options
from .runner import test, train

__all__ = [
    'check_config',
    'load_config',
    'parse_cfg_options',
    'run_cli',
    'test',
    'train',
]


def __getattr__(name: str) -> type:
    """``CapeInferencer`` was here before it got a package of its own."""
    if name == 'CapeInferencer':
        from ..inference import CapeInferencer

        return CapeInferencer
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
