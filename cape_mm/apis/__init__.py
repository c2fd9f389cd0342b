"""Library calls behind the command-line tools."""

from ..compat.checkpoint import load_checkpoint_strict
from ..inference import CapeInferencer
from .cli import run_cli
from .config_checks import check_config
from .config_loading import load_config
from .config_options import parse_cfg_options
from .runner import test, train

__all__ = [
    'CapeInferencer',
    'check_config',
    'load_checkpoint_strict',
    'load_config',
    'parse_cfg_options',
    'run_cli',
    'test',
    'train',
]
