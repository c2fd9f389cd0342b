"""Training with sharded weights (FSDP).

Nothing else imports this: a config that wants it names it in ``custom_imports``, so
that PyTorch's FSDP is loaded only where it is used.
"""

from .sharded_optim_wrapper import ShardedOptimWrapper, clip_sharded_gradient
from .sharded_runner import ShardedRunner
from .sharded_strategy import ShardedStrategy
from .unsharded_val_loop import UnshardedValLoop

__all__ = [
    'ShardedOptimWrapper',
    'ShardedRunner',
    'ShardedStrategy',
    'UnshardedValLoop',
    'clip_sharded_gradient',
]
