"""A checkpoint on the same episodes, as they are and perturbed in every way."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

from ...apis.config_checks import check_config
from ...apis.config_loading import load_config, set_work_dir
from ...apis.run_description import describe_run
from ...apis.runner import build_runner
from ...compat.checkpoint import load_weights, read_checkpoint
from ...datasets.frozen_episodes import episodes_sha256
from ...evaluation import EpisodePCK
from ...evaluation.bootstrap import LEVEL, NUM_RESAMPLES
from ...visualization.picture_files import try_folder
from .catalogue import Perturbation, Value, choose_perturbations
from .crop_copy import CropCopyPCK
from .evaluation_data import EvaluationData, make_loader
from .figures import Scores, compare_to_clean, describe_clean
from .plot import write_plot
from .report import format_progress, format_text, write_report

DEFAULT_HOOKS = (
    *('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler'),
    'checkpoint',
)
"""Of MMEngine's runner; they have nothing to do here."""


def measure_robustness(
    config: str | Path,
    checkpoint: str | Path,
    out: str | Path | None = None,
    only: Sequence[str] | None = None,
    episodes_per_category: int | None = None,
    cfg_options: Mapping | None = None,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> dict[str, Any]:
    """Measure PCK@0.2 under perturbations against the clean run, and write a report.

    The model is built once. Every run is the config's test on the same frozen episodes;
    a pair enters a comparison with the keypoints that both runs score.

    Args:
        config: config file.
        checkpoint: checkpoint file; it must fit the config's model exactly.
        out: folder for ``robustness.json``, ``.md`` and ``.png``; default
            ``work_dirs/<config>/robustness``.
        only: names of the catalogue; None measures all.
        episodes_per_category: the first so many of the test's own; None is all.
        cfg_options: overrides.
        seed: of the perturbations and of the bootstrap.
        num_resamples: of each bootstrap.

    Returns:
        ``clean``, ``perturbations`` (one record per perturbation and strength) and
        ``run``: what was measured.

    Raises:
        CapeError: what arguments, config, data or checkpoint make impossible.
    """
    chosen = choose_perturbations(only)
    cfg = load_config(config, cfg_options)
    set_work_dir(cfg, None)
    folder = try_folder(out or Path(cfg.work_dir) / 'robustness')
    cfg.work_dir = str(folder)
    content = read_checkpoint(checkpoint)
    runner = prepare_runner(cfg)
    load_weights(runner.model, content, checkpoint)
    data = EvaluationData.of_loader(runner.test_loop.dataloader, episodes_per_category)
    run = describe_run(runner, config, checkpoint, content)
    run |= dict(seed=seed, num_resamples=num_resamples, level=LEVEL)
    run['episodes_sha256'] = episodes_sha256(data.episodes)
    suite = RobustnessSuite(runner, data, seed, num_resamples)
    records = list(suite.run(chosen))
    clean = describe_clean(suite.clean, len(data.episodes))
    result = dict(run=run, clean=clean, perturbations=records)
    print(format_text(result))
    for path in (*write_report(result, folder), write_plot(result, chosen, folder)):
        print(f'written: {path}')
    return result


def prepare_runner(cfg: Config) -> Runner:
    """A runner that tests in one process."""
    cfg.launcher, cfg.load_from, cfg.resume = 'none', None, False
    check_config(cfg, 'test')
    cfg.test_evaluator = dict(type='EpisodePCK', num_resamples=0)
    cfg.default_hooks = dict.fromkeys(DEFAULT_HOOKS)
    cfg.custom_hooks = []
    for stage in ('train', 'val'):
        cfg[f'{stage}_dataloader'] = cfg[f'{stage}_cfg'] = None
    cfg.val_evaluator = cfg.optim_wrapper = cfg.param_scheduler = None
    return build_runner(cfg)


class RobustnessSuite:
    """Runs perturbed tests one after the other with one model.

    Attributes:
        clean: the scores without a perturbation; None before :meth:`run`.

    Args:
        runner: with a test loop, its model ready.
        data: what is perturbed.
        seed: of the perturbations and of the bootstrap.
        num_resamples: of each bootstrap.
    """

    def __init__(
        self, runner: Runner, data: EvaluationData, seed: int, num_resamples: int
    ) -> None:
        self.runner = runner
        self.data = data
        self.seed = seed
        self.num_resamples = num_resamples
        self.loader = runner.test_loop.dataloader
        self.clean: Scores | None = None

    def run(self, chosen: Iterable[Perturbation]) -> Iterator[dict[str, Any]]:
        """Measure the clean run, then every perturbation at every strength."""
        # edits first: what is impossible shows before anything is computed
        planned = [
            (entry, value, entry.edit(self.data, value, self.seed))
            for entry in chosen
            for value in entry.values
        ]
        self.clean = self.score(self.data)
        for entry, value, edited in planned:
            yield self._measure(entry, value, edited)

    def _measure(
        self, entry: Perturbation, value: Value, edited: EvaluationData
    ) -> dict[str, Any]:
        start = time.perf_counter()
        scores = self.score(edited).restored(edited.keypoint_order)
        record = compare_to_clean(
            self.clean, scores, self.num_resamples, self.seed, entry.is_symmetry
        )
        record = dict(name=entry.name, value=value, label=entry.label(value), **record)
        record['notes'] = [*edited.notes, *record['notes']]
        record['seconds'] = time.perf_counter() - start
        self.runner.logger.info(format_progress(record))
        return record

    def score(self, data: EvaluationData) -> Scores:
        """Test the model on the data as they are."""
        loop = self.runner.test_loop
        metrics = (
            EpisodePCK(num_resamples=0),
            CropCopyPCK(prefix='crop_copy', num_resamples=0),
        )
        loop.dataloader = make_loader(self.loader, data)
        loop.evaluator = Evaluator(list(metrics))
        loop.run()
        return Scores(*(metric.pairs for metric in metrics))
