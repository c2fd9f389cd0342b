"""What to say when memory or disk run out."""

from __future__ import annotations

import errno
import re

import torch

from ..engine.hooks.run_report_hooks import peak_rss_mib

LESS_MEMORY = (
    'Any of these needs less (give them after --cfg-options, or in the config):\n'
    '  train_dataloader.batch_size=1 (with optim_wrapper.accumulative_counts raised by '
    'the same factor the effective batch stays)\n'
    '  model.backbone.with_cp=True (activation checkpointing: a third more time; with '
    'model.train_cfg.cuda_graph=False)\n'
    '  --amp (mixed precision; not an option of the config)\n'
    '  a smaller image: input_size of WarpInstance in all pipelines\n'
    '  train_dataloader.sampler.num_queries, and in a validation or test '
    'val_dataloader.batch_size, test_dataloader.batch_size'
)
FEWER_WORKERS = (
    'Every worker of a data loader holds batches of its own: lower num_workers or '
    'prefetch_factor of train_dataloader, val_dataloader, test_dataloader'
)
GPU_WORDS = re.compile(r'CUDA(?: error)?: out of memory|CUBLAS_STATUS_ALLOC_FAILED')
CPU_WORDS = re.compile(r"DefaultCPUAllocator: (?:can't|not enough)|Insufficient memory")
WORKER_WORDS = re.compile(
    r'DataLoader worker .*'
    r'(?:killed by signal: [^.]+|exited unexpectedly(?: with exit code -?\d+)?)'
)
SHARED_WORDS = re.compile(r'unable to (?:write to|open|mmap|resize).*torch_|Bus error')
WRITER_WORDS = re.compile('PytorchStreamWriter failed writing|file write failed')
FULL = {errno.ENOSPC: 'the disk is full', errno.EDQUOT: 'the disk quota is used up'}


def explain_out_of_resources(error: BaseException) -> str | None:
    """One message for an error that comes from too little memory or disk.

    Args:
        error: what ended a training or a test.

    Returns:
        What ran out, how much was used and what needs less; None for any other error.
    """
    text = str(error)
    if isinstance(error, torch.cuda.OutOfMemoryError) or GPU_WORDS.search(text):
        return f'the GPU ran out of memory: {_first_line(text)}.\n{LESS_MEMORY}'
    if SHARED_WORDS.search(text):
        return (
            f'shared memory (/dev/shm) ran out: {_first_line(text)}. A container '
            f'may need a larger one (docker run --shm-size=8g). {FEWER_WORKERS}.'
        )
    if isinstance(error, MemoryError) or CPU_WORDS.search(text):
        return (
            f'the memory of this machine ran out ({_first_line(text) or "no detail"}). '
            f'This process had {peak_rss_mib():,.0f} MiB at most, without its workers. '
            f'{FEWER_WORKERS}.\n{LESS_MEMORY}'
        )
    if WORKER_WORDS.search(text):
        return _explain_worker(error)
    return _explain_disk(error, text)


def _explain_worker(error: BaseException) -> str:
    """What is known of a worker's end; PyTorch keeps the signal in the cause."""
    found = [WORKER_WORDS.search(str(part)) for part in (error.__cause__, error)]
    known = next(filter(None, found))[0]
    if known.endswith('signal: Killed'):
        reason = (
            f'If the system did it, memory ran out (dmesg says so). {FEWER_WORKERS}'
        )
    else:
        reason = (
            'What it printed before says why; num_workers=0 (with '
            'persistent_workers=False) shows an error of its own'
        )
    return f'a worker of a data loader died: {known}. {reason}.'


def _explain_disk(error: BaseException, text: str) -> str | None:
    reason = FULL.get(error.errno) if isinstance(error, OSError) else None
    if reason is None and not WRITER_WORDS.search(text):
        return None
    name = getattr(error, 'filename', None)
    where = f' while {name} was written' if name else ''
    return (
        f'{reason or "a file could not be written, the disk may be full"}{where} '
        f'({_first_line(text)}). Checkpoints and results that were complete are as '
        f'they were. Make room (max_keep_ckpts of the checkpoint hook keeps fewer), or '
        f'use another --work-dir; a training goes on with --resume.'
    )


def _first_line(text: str) -> str:
    """The line that says what happened; a worker's error has its traceback first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ''
    return lines[-1] if lines[0].startswith('Caught ') else lines[0]
