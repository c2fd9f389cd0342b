"""Several processes of one run: how they meet, and what is said when one is lost."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_world_size
from mmengine.runner import Runner
from torch.utils.data import Dataset

from ..datasets.frozen_episodes import files_sha256
from ..datasets.multi_source_dataset import sources_of
from ..engine.trained_categories import describe_size
from ..errors import CapeError, ConfigError, MissingDataError

GLOO_TIMEOUT = 1800.0
"""Seconds; PyTorch's own default."""
SOURCES = {
    'pytorch': dict(RANK='RANK', WORLD_SIZE='WORLD_SIZE', LOCAL_RANK='LOCAL_RANK'),
    'slurm': dict(
        RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID'
    ),
    'mpi': dict(
        RANK='OMPI_COMM_WORLD_RANK',
        WORLD_SIZE='OMPI_COMM_WORLD_SIZE',
        LOCAL_RANK='OMPI_COMM_WORLD_LOCAL_RANK',
    ),
}
"""By launcher: its variables for PyTorch's own three."""
STARTERS = {
    'pytorch': 'tools/dist_train.sh or tools/dist_test.sh (they call torchrun)',
    'slurm': 'tools/slurm_train.sh or tools/slurm_test.sh (they call srun)',
    'mpi': 'mpirun, with MASTER_ADDR set',
}
LOST = re.compile(
    r'\bgloo\b|NCCL|TCPStore|Connection (closed|reset)|socket .*timed out'
)
"""What the messages of failed communication have in common."""


class LostProcessError(CapeError, RuntimeError):
    """Another process of the run died, or was not heard of for too long."""


def join_processes(cfg: Config) -> None:
    """Join launched processes over gloo where there is no GPU.

    MMEngine's own start needs a GPU per process; with one, it is left to the runner.
    What the config says for GPUs is changed where a CPU needs it, and this is said.

    Raises:
        ConfigError: the launcher is named but did not start this process, it started
            more processes on this machine than there are GPUs, or there is none and
            the launcher is not PyTorch's.
    """
    launcher = cfg.get('launcher') or 'none'
    if launcher == 'none':
        return
    local_rank = check_launched(launcher)
    if torch.cuda.is_available():
        check_gpu_share(local_rank, torch.cuda.device_count())
        return
    if launcher != 'pytorch':
        raise ConfigError(
            f'launcher {launcher} needs GPUs, and PyTorch sees none here. On CPUs use '
            f'launcher pytorch: {STARTERS["pytorch"]}'
        )
    if not torch_dist.is_initialized():
        init_gloo((cfg.get('env_cfg') or {}).get('dist_cfg') or {})
    use_cpu_wrapper(cfg)


def check_launched(launcher: str) -> int:
    """This process's number on its machine, as the launcher says.

    Raises:
        ConfigError: the launcher's variables are not set.
    """
    needed = [SOURCES[launcher][name] for name in ('RANK', 'WORLD_SIZE')]
    missing = [name for name in needed if name not in os.environ]
    if missing:
        raise ConfigError(
            f'launcher {launcher}: {" and ".join(missing)} not set, so nothing '
            f'launched this process. Start it by {STARTERS[launcher]}, or leave '
            f'launcher out for a single process.'
        )
    return int(os.environ.get(SOURCES[launcher]['LOCAL_RANK'], 0))


def check_gpu_share(local_rank: int, num_gpus: int) -> None:
    """Refuse a process that no GPU is left for.

    Raises:
        ConfigError: ``local_rank`` is not below the number of GPUs.
    """
    if local_rank >= num_gpus:
        raise ConfigError(
            f'process {local_rank} of this machine has no GPU: {num_gpus} are visible. '
            f'Start at most {num_gpus} processes per machine (the argument GPUS of '
            f'tools/dist_train.sh, GPUS_PER_NODE under Slurm), or look at '
            f'CUDA_VISIBLE_DEVICES.'
        )


def init_gloo(dist_cfg: dict) -> None:
    """Join over gloo with the config's timeout; rank 0 says if the config has another.

    Args:
        dist_cfg: the config's ``env_cfg.dist_cfg``.
    """
    backend = dist_cfg.get('backend', 'nccl')
    seconds = dist_cfg.get('timeout') or GLOO_TIMEOUT
    torch_dist.init_process_group('gloo', timeout=timedelta(seconds=seconds))
    if backend != 'gloo' and torch_dist.get_rank() == 0:
        print(
            f'no GPU: {torch_dist.get_world_size()} processes on the CPU, joined over '
            f'gloo instead of {backend}',
            flush=True,
        )


def check_same_data(runner: Runner, *stages: str) -> None:
    """Refuse processes that read different data, as where one machine lacks files.

    They would draw different episodes, or wait for each other's last batch for ever.

    Args:
        runner: whose loops are built here if they are not yet.
        stages: of 'train', 'val' and 'test'; without a loop nothing is read.

    Raises:
        MissingDataError: names the first process that differs from rank 0.
    """
    if get_world_size() == 1:
        return
    loops = [getattr(runner, f'{stage}_loop') for stage in stages]
    wholes = [loop.dataloader.dataset for loop in loops if loop is not None]
    parts = [source.dataset for whole in wholes for source in sources_of(whole)]
    first, *others = all_gather_object([describe_files(part) for part in parts])
    for rank, files in enumerate(others, 1):
        for here, there in zip(files, first, strict=True):
            if here != there:
                raise MissingDataError(
                    f'rank {rank} has other data than rank 0: {here}, and rank 0 has '
                    f'{there}. Give every machine the same files.'
                )


def describe_files(dataset: Dataset) -> str:
    """Sizes and a fingerprint of a data set, wherever it lies."""
    number = getattr(dataset, 'num_missing_images', 0)
    sha256 = files_sha256(getattr(dataset, 'ann_files', ()))[:12]
    return (
        f'{describe_size(dataset)}, {number:,} image files missing, annotations '
        f'with SHA-256 {sha256}'
    )


def leave_processes() -> None:
    """Leave the other processes together, before Python itself ends.

    A gloo thread lets go of the tensors of its last collective when it next gets the
    interpreter's lock. Where the interpreter is gone by then, the process aborts, after
    all its work was done. So the threads are ended here: the barrier waits without the
    lock, and the group, which the runner's reference cycles still hold, is collected.
    """
    if torch_dist.get_backend() == 'gloo':
        with suppress(RuntimeError):  # one that failed is the launcher's to report
            torch_dist.barrier()
    torch_dist.destroy_process_group()
    gc.collect()


def use_cpu_wrapper(cfg: Config) -> None:
    """Have the model wrapped in data parallel for the CPU."""
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )


@contextmanager
def explain_lost_process() -> Iterator[None]:
    """Say in one message that another process is gone; the launcher names which.

    Raises:
        LostProcessError: instead of the error of gloo or NCCL.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, CapeError) or not is_communication_error(error):
            raise
        cause = str(error).strip().splitlines()[0]
        raise LostProcessError(
            'the processes of this run lost each other: another one died, or hung '
            'for longer than env_cfg.dist_cfg.timeout. Look for the first error of '
            'the others and for "Root Cause" in the output of the launcher. A training '
            f'has saved its finished epochs: go on with --resume. ({cause})'
        ) from error


def is_communication_error(error: RuntimeError) -> bool:
    """Whether an error comes from talking to other processes."""
    is_launched = torch_dist.is_available() and 'RANK' in os.environ
    return is_launched and LOST.search(str(error)) is not None
