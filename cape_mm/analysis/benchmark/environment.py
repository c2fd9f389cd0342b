"""On what a number was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import mmengine
import mmpose
import torch

from ...version import __version__


def describe_environment(device: torch.device) -> dict:
    """Hardware, versions and the commit of this package (None if unknown)."""
    has_gpu = device.type == 'cuda'
    return dict(
        device=str(device),
        device_name=torch.cuda.get_device_name(device) if has_gpu else cpu_name(),
        num_cpus=len(os.sched_getaffinity(0))
        if hasattr(os, 'sched_getaffinity')
        else os.cpu_count(),
        threads=torch.get_num_threads(),
        matmul_precision=torch.get_float32_matmul_precision(),
        cudnn_benchmark=torch.backends.cudnn.benchmark if has_gpu else None,
        versions=dict(
            cape_mm=__version__,
            python=platform.python_version(),
            torch=torch.__version__,
            cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version() if has_gpu else None,
            mmengine=mmengine.__version__,
            mmpose=mmpose.__version__,
        ),
        **describe_commit(),
    )


def cpu_name() -> str:
    """The processor's model name, or its architecture."""
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def describe_commit() -> dict:
    """``commit``, and in ``is_modified`` whether tracked files differ from it."""
    commit = _git('rev-parse', 'HEAD')
    if not commit:
        return dict(commit=None, is_modified=None)
    changes = _git('status', '--porcelain', '--untracked-files=no')
    return dict(commit=commit, is_modified=bool(changes))


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ['git', *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
