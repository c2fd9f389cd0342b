"""MMEngine's FSDP strategy, made to resume on current PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

from mmengine._strategy import FSDPStrategy
from mmengine.dist import is_main_process
from mmengine.registry import STRATEGIES
from torch.distributed.fsdp import FullyShardedDataParallel

from ...atomic_write import PARTIAL_SUFFIX


@STRATEGIES.register_module()
class ShardedStrategy(FSDPStrategy):
    """``FSDPStrategy`` whose checkpoints hold whole tensors and can be resumed.

    MMEngine 0.10.7 gives the arguments of ``optim_state_dict_to_load`` in the order of
    PyTorch 2.0, so that its own strategy stops at a resume. Its default checkpoints are
    shards, a folder of them per epoch, which only the same number of processes reads;
    ours are the plain files that DDP writes, for ``tools/test.py`` and the inferencer.

    Attributes:
        steps: epoch and iteration of the next checkpoint, see ``ShardedRunner``.

    Args:
        offload_to_cpu: collect a checkpoint in CPU memory, not on the GPU. False on the
            CPU itself, where PyTorch 2.13 crashes on it.
        **kwargs: arguments of ``mmengine._strategy.FSDPStrategy``.
    """

    def __init__(self, offload_to_cpu: bool = True, **kwargs) -> None:
        settings = dict(rank0_only=True, offload_to_cpu=offload_to_cpu)
        state = dict(
            state_dict_type='FULL_STATE_DICT',
            state_dict_config=dict(type='FullStateDictConfig', **settings),
            optim_state_dict_config=dict(type='FullOptimStateDictConfig', **settings),
        )
        super().__init__(state_dict_cfg=state, **kwargs)
        self.steps: dict[str, int] = {}

    def save_checkpoint(
        self, filename: str, *, extra_ckpt: dict | None = None, **kwargs
    ) -> None:
        """Save on rank 0 what all ranks hold a part of: written beside, then renamed.

        MMEngine's own would write into the file itself, whatever backend is asked for.

        Args:
            filename: the checkpoint's path.
            extra_ckpt: what else it has; ``steps`` replaces entries of its ``meta``.
            **kwargs: as for MMEngine's.
        """
        extra = dict(extra_ckpt or {})
        extra['meta'] = {**extra.get('meta', {}), **self.steps}
        path = Path(filename)
        partial = path.with_name(f'.{path.name}.{os.getpid()}{PARTIAL_SUFFIX}')
        try:
            super().save_checkpoint(str(partial), extra_ckpt=extra, **kwargs)
            if is_main_process():
                with partial.open('rb') as file:
                    os.fsync(file.fileno())
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Give every process its part of the optimizer's state.

        Args:
            state_dict: of the whole optimizer, as in a checkpoint.
        """
        sharded = FullyShardedDataParallel.optim_state_dict_to_load(
            model=self.model,
            optim=self.optim_wrapper.optimizer,
            optim_state_dict=state_dict,
        )
        self.optim_wrapper.load_state_dict(sharded)
