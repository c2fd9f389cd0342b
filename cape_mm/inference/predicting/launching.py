"""Several processes that share the queries."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import torch
import torch.distributed as torch_dist

from ...apis.launching import (
    check_gpu_share,
    check_launched,
    explain_lost_process,
    init_gloo,
)

PATIENCE = timedelta(days=7)
"""How long the first process that is done waits for the last."""


class Ranks(NamedTuple):
    """This process among all.

    Attributes:
        rank: its number.
        world_size: how many there are.
        device: GPU of this process, None without GPU or launcher.
    """

    rank: int = 0
    world_size: int = 1
    device: str | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process talks and merges."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait for all processes.

        Raises:
            LostProcessError: one of them died.
        """
        if self.world_size > 1:
            with explain_lost_process():
                torch_dist.barrier()


def join(launcher: str) -> Ranks:
    """Join the other processes. They exchange no tensor, so gloo serves with GPUs too.

    Args:
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ConfigError: the launcher did not start this process, or there is no GPU for it.
    """
    if launcher == 'none':
        return Ranks()
    local_rank = check_launched(launcher)
    device = None
    if torch.cuda.is_available():
        check_gpu_share(local_rank, torch.cuda.device_count())
        device = f'cuda:{local_rank}'
    if not torch_dist.is_initialized():
        settings = dict(backend='gloo', timeout=PATIENCE.total_seconds())
        init_gloo(launcher, settings)
    return Ranks(torch_dist.get_rank(), torch_dist.get_world_size(), device)
