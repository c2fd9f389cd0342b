"""What a result was measured on and with, to tell results apart later."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmengine
import mmpose
import torch
from mmengine.runner import Runner

from ..datasets import MP100EpisodeDataset
from ..datasets.frozen_episodes import files_sha256
from ..engine.trained_categories import training_gaps_of
from ..utils.processes import num_available_cores
from ..version import __version__


def describe_run(
    runner: Runner,
    config_path: str | Path,
    checkpoint_path: str | Path,
    checkpoint: Mapping | None = None,
    cfg_options: Mapping | None = None,
) -> dict[str, Any]:
    """Describe a test; what does not apply is left out.

    Args:
        runner: of the test.
        config_path: the config's file.
        checkpoint_path: the checkpoint's file.
        checkpoint: its content, which tells about the training.
        cfg_options: overrides of the config.

    Returns:
        ``config``, ``cfg_options``, ``checkpoint``, ``cape_mm_version``,
        ``episodes_sha256``, ``num_missing_images``, ``ann_files``,
        ``annotations_sha256``, ``template_file``, ``trained_on`` with ``partial``, what
        the training data lacked, and ``environment``, see
        :func:`describe_environment`.
    """
    dataset = runner.test_loop.dataloader.dataset
    sampler = runner.test_loop.dataloader.sampler
    gaps = training_gaps_of(checkpoint or {})
    is_known = isinstance(dataset, MP100EpisodeDataset)
    run = dict(
        config=str(config_path),
        cfg_options=dict(cfg_options) if cfg_options else None,
        checkpoint=str(checkpoint_path),
        cape_mm_version=__version__,
        episodes_sha256=getattr(sampler, 'episodes_sha256', None),
        num_missing_images=getattr(dataset, 'num_missing_images', None),
        ann_files=list(getattr(dataset, 'ann_files', ())) or None,
        annotations_sha256=files_sha256(dataset.ann_files) if is_known else None,
        template_file=getattr(dataset, 'template_file', None),
        trained_on=dict(partial='; '.join(gaps)) if gaps else None,
        environment=describe_environment(next(runner.model.parameters()).device),
    )
    return {key: value for key, value in run.items() if value is not None}


def describe_environment(device: torch.device) -> dict:
    """Hardware, versions and the commit of this package (None if unknown)."""
    has_gpu = device.type == 'cuda'
    return dict(
        device=str(device),
        device_name=torch.cuda.get_device_name(device) if has_gpu else cpu_name(),
        num_cpus=num_available_cores(),
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
