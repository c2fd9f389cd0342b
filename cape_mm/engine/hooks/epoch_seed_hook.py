"""A resumed training draws what an uninterrupted one would have drawn."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed PyTorch's generators at every epoch's start from (seed, epoch, rank).

    Checkpoints of MMEngine do not hold the state of the generators, so the model's own
    choices (noise on the history, order of decoding, dropout) would differ after a
    resume. The data need no such help: an episode carries its seed.

    Convention:
        - every rank draws differently, as every rank has episodes of its own
        - ``IterBasedTrainLoop`` has no epochs: nothing is done there
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the generators of the CPU and of all GPUs."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            return
        entropy = [runner.seed, runner.epoch, get_rank()]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
