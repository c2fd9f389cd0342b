"""All splits of a benchmark: run or resume them, then aggregate their results."""

from .commands import print_commands, write_slurm_scripts
from .folds import KFold
from .running import collect, run_fold, run_kfold
from .summary import summarise

__all__ = [
    'KFold',
    'collect',
    'print_commands',
    'run_fold',
    'run_kfold',
    'summarise',
    'write_slurm_scripts',
]
