"""The report of a test that has just run: ``tools/test.py --report``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

from ...apis.run_description import describe_environment
from ...datasets import MP100EpisodeDataset
from ...datasets.frozen_episodes import files_sha256
from ...datasets.frozen_episodes_reading import annotation_paths
from ...errors import ConfigError
from ...evaluation import EpisodePCK, PredictionDump
from .content import Evaluation, build_report
from .episode_choice import choose_episodes
from .episode_pictures import draw_chosen
from .prefixes import run_of, split_metrics
from .writing import check_folder, now, write_report

NEEDS = (
    "--report needs test_evaluator=dict(type='EpisodePCK'), whose numbers it shows; "
    'the config has {found}'
)


def check_report(runner: Runner, folder: str | Path | None) -> None:
    """Refuse, before a long test, what no report could be made of.

    Args:
        runner: with an evaluator that keeps the predictions.
        folder: of the report, made where needed; None: no report, nothing to check.

    Raises:
        ConfigError: nothing can be written there, or no metric is an
            :class:`EpisodePCK`.
    """
    if folder is None:
        return
    check_folder(folder, '--report')
    metrics = runner.test_loop.evaluator.metrics
    if not any(isinstance(metric, EpisodePCK) for metric in metrics):
        found = [type(m).__name__ for m in metrics if not isinstance(m, PredictionDump)]
        raise ConfigError(NEEDS.format(found=', '.join(found) or 'none'))


def report_test(runner: Runner, metrics: Mapping[str, Any], folder: str | Path) -> Path:
    """Write the report of a finished test; on the main process only.

    Args:
        runner: after its test, with an evaluator that kept the predictions.
        metrics: what the test returned, with its ``run``.
        folder: of the report.

    Returns:
        Path of the page.
    """
    own, others = split_metrics(metrics)
    dataset = runner.test_loop.dataloader.dataset
    parts = runner.test_evaluator.metrics
    (kept, *_) = (part for part in parts if isinstance(part, PredictionDump))
    (metric, *_) = (part for part in parts if isinstance(part, EpisodePCK))
    is_known = isinstance(dataset, MP100EpisodeDataset)
    chosen = [one for some in choose_episodes(metric.pairs).values() for one in some]
    evaluation = Evaluation(
        metrics=own,
        run=run_of(metrics),
        created=now(),
        table=metric.pairs,
        entries=kept.entries,
        keypoint_names=names_of(dataset.categories.values()) if is_known else {},
        pictures=draw_chosen(chosen, kept.entries, dataset) if is_known else {},
        environment=describe_environment(next(runner.model.parameters()).device),
        data_files=hash_data(annotation_paths(dataset)) if is_known else (),
        config_text=runner.cfg.pretty_text,
        other_numbers=others,
    )
    return write_report(build_report(evaluation), folder)


def names_of(categories: Iterable[Any]) -> dict[int, tuple[str, ...]]:
    """Names of the keypoints of categories, by category id."""
    return {category.id: tuple(category.keypoint_names) for category in categories}


def hash_data(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Annotation files with their SHA-256."""
    return [(str(path), files_sha256([path])) for path in paths]
