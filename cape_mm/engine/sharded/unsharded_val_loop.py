"""Validation of a model whose weights are sharded."""

from __future__ import annotations

from mmengine.device import get_device
from mmpose.registry import LOOPS, MODELS
from torch import nn
from torch.distributed.fsdp import FullStateDictConfig, StateDictType
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

from ..loops import EpisodeValLoop


@LOOPS.register_module()
class UnshardedValLoop(EpisodeValLoop):
    """``EpisodeValLoop`` on a whole copy of a sharded model, one per process.

    A sharded model gathers its weights in every forward pass, all processes together;
    the processes of a validation have unequal numbers of batches and would wait for
    ever. The copy needs the memory of the weights alone, without gradients and
    optimizer state, and only while validation runs.
    """

    def run(self) -> dict:
        """Validate; returns the metrics."""
        runner, sharded = self.runner, self.runner.model
        if not isinstance(sharded, FSDP):
            return super().run()
        runner.model = whole_copy(sharded, runner.cfg.model)
        try:
            return super().run()
        finally:
            runner.model = sharded


def whole_copy(sharded: FSDP, config: dict) -> nn.Module:
    """A plain model with the weights of a sharded one; all processes must call this.

    Args:
        sharded: the model that trains.
        config: what it was built from.
    """
    every_process = FullStateDictConfig(rank0_only=False, offload_to_cpu=False)
    model = MODELS.build(config)
    with FSDP.state_dict_type(sharded, StateDictType.FULL_STATE_DICT, every_process):
        model.load_state_dict(sharded.state_dict(), strict=True)
    return model.to(get_device()).eval()
