"""What a test leaves beside its metrics: the pairs, and the predictions on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric

from ..atomic_write import write_text_atomically
from ..structures import Episode
from .episode_pck import EpisodePCK
from .pair_file import pairs_path, write_pairs
from .prediction_dump import PredictionDump, format_dump


def write_pair_files(
    metrics: Sequence[BaseMetric], run: Mapping[str, Any], metrics_path: str | Path
) -> list[Path]:
    """Write the pairs of every :class:`EpisodePCK` beside the metrics file.

    Args:
        metrics: of an evaluator, after the test.
        run: what the result was measured on and with.
        metrics_path: file of the metrics.

    Returns:
        One file per metric that has pairs; a metric's prefix is put before its name.
    """
    paths = []
    for metric in metrics:
        if isinstance(metric, EpisodePCK) and metric.pairs is not None:
            path = pairs_path(metrics_path)
            name = f'{metric.prefix}.{path.name}' if metric.prefix else path.name
            paths.append(write_pairs(metric.pairs, path.with_name(name), run))
    return paths


def write_dump(
    metrics: Sequence[BaseMetric],
    episodes: Sequence[Episode],
    run: Mapping[str, Any],
    path: str | Path,
) -> Path:
    """Write what the :class:`PredictionDump` of an evaluator has kept.

    Args:
        metrics: of an evaluator, after the test.
        episodes: the whole evaluation list.
        run: what the predictions were made with.
        path: the file; its folder is made where needed, an older file is replaced.
    """
    (kept,) = (metric for metric in metrics if isinstance(metric, PredictionDump))
    return write_text_atomically(path, format_dump(kept, episodes, run))
