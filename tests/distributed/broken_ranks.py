"""A hook that breaks one process in the middle of a training."""

from __future__ import annotations

import os
import signal
import time

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['cape_mm', 'broken_ranks'], allow_failed_imports=False)
custom_hooks = [dict(type='AccumulationWindowHook'),
                dict(type='BreakRankHook', fault={fault!r})]
env_cfg = dict(dist_cfg=dict(timeout={timeout}))
"""


@HOOKS.register_module(force=True)
class BreakRankHook(Hook):
    """Break process 1 in iteration 2.

    Args:
        fault: 'kill', 'raise' or 'hang'.
    """

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Break."""
        if get_rank() != 1 or batch_idx != 1:
            return
        if self.fault == 'kill':
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == 'hang':
            time.sleep(600)
        raise ArithmeticError('this process broke on purpose')
