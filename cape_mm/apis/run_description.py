"""What a result was measured on and with, to tell results apart later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

from ..datasets import MP100EpisodeDataset
from ..datasets.frozen_episodes import files_sha256
from ..engine.trained_categories import training_gaps_of
from ..version import __version__


def describe_run(
    runner: Runner,
    config_path: str | Path,
    checkpoint_path: str | Path,
    checkpoint: Mapping | None = None,
) -> dict[str, Any]:
    """Describe a test; what does not apply is left out.

    Args:
        runner: of the test.
        config_path: the config's file.
        checkpoint_path: the checkpoint's file.
        checkpoint: its content, which tells about the training.

    Returns:
        ``config``, ``checkpoint``, ``cape_mm_version``, ``episodes_sha256``,
        ``num_missing_images``, ``ann_files``, ``annotations_sha256``,
        ``template_file``, and ``trained_on`` with ``partial``, what the training data
        lacked.
    """
    dataset = runner.test_loop.dataloader.dataset
    sampler = runner.test_loop.dataloader.sampler
    gaps = training_gaps_of(checkpoint or {})
    is_known = isinstance(dataset, MP100EpisodeDataset)
    run = dict(
        config=str(config_path),
        checkpoint=str(checkpoint_path),
        cape_mm_version=__version__,
        episodes_sha256=getattr(sampler, 'episodes_sha256', None),
        num_missing_images=getattr(dataset, 'num_missing_images', None),
        ann_files=list(getattr(dataset, 'ann_files', ())) or None,
        annotations_sha256=files_sha256(dataset.ann_files) if is_known else None,
        template_file=getattr(dataset, 'template_file', None),
        trained_on=dict(partial='; '.join(gaps)) if gaps else None,
    )
    return {key: value for key, value in run.items() if value is not None}
