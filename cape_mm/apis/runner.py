"""Training and testing as one call each; ``tools/*.py`` only parse arguments."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmpose.registry import VISUALIZERS

from ..compat.checkpoint import load_weights, read_checkpoint
from ..compat.checkpoint_file import trusting
from ..datasets.episode_pools import dataset_meta
from ..engine.hooks import EpisodePicturesHook
from ..engine.hooks.accumulation_window_hook import get_accumulative_counts
from ..engine.trained_categories import (
    describe_overlap,
    trained_categories_of,
    usable_categories,
)
from ..errors import ConfigError
from ..evaluation.episode_pck import EpisodePCK
from ..evaluation.report import format_table, write_metrics
from ..evaluation.result_file import write_all_results, write_dump
from ..utils.atomic_write import try_file, try_folder
from .config_checks import check_config, explain_build_errors
from .config_loading import count_in_iterations, load_config, set_amp, set_work_dir
from .launching import check_same_data, explain_lost_process, join_processes
from .resuming import check_start, set_resume
from .run_description import describe_run
from .work_dir_lock import locked_work_dir


@explain_lost_process()
def train(
    config: str | Path,
    work_dir: str | Path | None = None,
    resume: str | Path | None = None,
    amp: bool = False,
    no_validate: bool = False,
    cfg_options: Mapping | None = None,
    launcher: str = 'none',
    trust_checkpoint: bool = False,
) -> Path:
    """Train what a config describes.

    Args:
        config: config file.
        work_dir: folder for logs and checkpoints; default ``work_dirs/<config>``.
        resume: ``'auto'`` for the latest checkpoint of the work directory, or a path.
        amp: mixed precision.
        no_validate: leave validation out.
        cfg_options: overrides, e.g. ``{'randomness.seed': 1}``.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        trust_checkpoint: read checkpoints that could run code; only for your own.

    Returns:
        The work directory.

    Raises:
        CapeError: what the config, the data or a checkpoint makes impossible.
    """
    cfg = load_config(config, cfg_options)
    if no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.launcher = launcher
    join_processes(cfg)
    set_work_dir(cfg, work_dir)
    with trusting(trust_checkpoint):
        set_resume(cfg, resume)
        check_config(cfg, 'train')
        try_folder(cfg.work_dir, 'work_dir')
        set_amp(cfg, amp)
        count_in_iterations(cfg)
        with locked_work_dir(cfg.work_dir, launcher), explain_build_errors(cfg):
            runner = build_runner(cfg)
            check_start(runner, cfg.get('load_from'), cfg.get('resume', False))
            with filtered_log(runner.logger):
                check_same_data(runner, 'train', 'val')
                runner.train()
    if is_main_process():
        print(f'checkpoints and logs: {cfg.work_dir}')
    return Path(cfg.work_dir)


@explain_lost_process()
def test(
    config: str | Path,
    checkpoint: str | Path | None = None,
    work_dir: str | Path | None = None,
    cfg_options: Mapping | None = None,
    launcher: str = 'none',
    show_dir: str | Path | None = None,
    num_show: int = 20,
    out: str | Path | None = None,
    dump: str | Path | None = None,
    report: str | Path | None = None,
    trust_checkpoint: bool = False,
) -> dict:
    """Test a checkpoint, print the table and write the metrics and the pairs.

    Args:
        config: config file.
        checkpoint: checkpoint file; it must fit the config's model exactly. None tests
            the model as its config initialises it: the training-free matcher, say.
        work_dir: folder for logs and metrics; default ``work_dirs/<config>``.
        cfg_options: overrides.
        launcher: see :func:`train`.
        show_dir: folder for pictures of episodes; None draws none.
        num_show: number of episodes to draw.
        out: metrics file; default ``<work_dir>/metrics.json``. The table of all
            pairs goes beside it, into ``metrics.results.npz``.
        dump: file for the predictions, COCO keypoint results; None keeps none.
        report: folder for an HTML page about the result; None: none.
        trust_checkpoint: see :func:`train`.

    Returns:
        The metrics; under ``run`` what they were measured on, and
        ``trained_categories_in_test`` if the model was trained on some of them.

    Raises:
        CapeError: what the config, the data or the checkpoint makes impossible.
    """
    from ..analysis.report import check_report, report_test  # matplotlib: takes time

    cfg = load_config(config, cfg_options)
    set_work_dir(cfg, work_dir)
    # The checkpoint is loaded strictly by us, not leniently by the runner.
    cfg.launcher, cfg.load_from, cfg.resume = launcher, None, False
    join_processes(cfg)
    check_config(cfg, 'test')
    # a wrong path shows before any work
    content = {}
    if checkpoint is not None:
        content = read_checkpoint(checkpoint, trust_checkpoint)
    out = Path(out) if out is not None else Path(cfg.work_dir) / 'metrics.json'
    try_folder(cfg.work_dir, 'work_dir')
    try_file(out, 'out')
    try_file(dump, 'dump')
    if show_dir is not None:
        try_folder(show_dir, 'show_dir')
    with explain_build_errors(cfg):
        runner = build_runner(cfg)
        loop = runner.test_loop
    pictures = add_pictures(runner, show_dir, num_show) if show_dir else None
    if checkpoint is not None:
        load_weights(runner.model, content, checkpoint)
    else:
        runner.model.init_weights()
    if dump is not None:
        check_dump(runner)
    check_same_data(runner, 'test')
    check_report(runner, report)
    loop.evaluator.dataset_meta = dataset_meta(
        loop.dataloader.dataset, loop.dataloader.sampler
    )
    metrics = runner.test()
    num_trained = count_trained(runner, content)
    if num_trained:
        metrics['trained_categories_in_test'] = num_trained
    metrics['run'] = describe_run(
        runner, config, checkpoint or 'untrained', content, cfg_options
    )
    if is_main_process():
        print(format_table(metrics))  # first: a full disk must not lose it
        write_metrics(metrics, out)
        print(f'metrics: {out}')
        parts, dataset = runner.test_evaluator.metrics, loop.dataloader.dataset
        episodes = getattr(loop.dataloader.sampler, 'episodes', ())
        if getattr(dataset, 'templates', None):
            episodes = ()  # they had no supports
        for results in write_all_results(parts, metrics['run'], out, episodes):
            print(f'results: {results}')
        if dump is not None:
            metric = next(part for part in parts if isinstance(part, EpisodePCK))
            print(f'predictions: {write_dump(metric.pairs, dataset, dump)}')
        if pictures is not None:
            if pictures.failure is not None:
                raise pictures.failure
            print(f'pictures: {show_dir}')
        if report is not None:
            print(f'report: {report_test(runner, metrics, report)}')
    return metrics


def count_trained(runner: Runner, checkpoint: Mapping) -> int:
    """Number of tested categories that the checkpoint was trained on, with a warning.

    0 also where the checkpoint does not name the categories of its training.
    """
    tested = usable_categories(runner.test_loop.dataloader.dataset)
    trained = trained_categories_of(checkpoint)
    warning = describe_overlap(tested, trained, 'test')
    if warning is not None:
        runner.logger.warning(warning)
    return len(tested.keys() & trained.keys())


def is_no_parameter_line(record: logging.LogRecord) -> bool:
    """MMEngine logs three lines per parameter with a learning rate of its own."""
    return not str(record.msg).startswith('paramwise_options -- ')


@contextmanager
def filtered_log(logger: logging.Logger) -> Iterator[None]:
    """Silence what looks like a mistake and is none while a training runs.

    - Nearly 500 lines name the learning rate of every single parameter; the banner says
      the same in one line.
    - A scheduler that counts micro-batches steps before the first update of an
      accumulation window, as it should; the warning fears a mistake.
    - Pinned memory is asked for in the configs; without a GPU there is none to pin.

    Args:
        logger: the runner's.
    """
    logger.addFilter(is_no_parameter_line)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Detected call of `scheduler.step')
            warnings.filterwarnings('ignore', "'pin_memory' argument is set as true")
            yield
    finally:
        logger.removeFilter(is_no_parameter_line)


class AccumulationRunner(Runner):
    """MMEngine's runner, whose ``auto_scale_lr`` counts accumulated micro-batches."""

    def scale_lr(
        self, optim_wrapper: OptimWrapper, auto_scale_lr: Mapping | None = None
    ) -> None:
        """Scale by the number of episodes of an update; see MMEngine's."""
        counts = get_accumulative_counts(optim_wrapper)
        if auto_scale_lr and auto_scale_lr.get('enable') and counts > 1:
            self.logger.info(f'auto_scale_lr: an update has {counts} micro-batches')
            base = auto_scale_lr['base_batch_size'] / counts
            auto_scale_lr = {**auto_scale_lr, 'base_batch_size': base}
        super().scale_lr(optim_wrapper, auto_scale_lr)


def build_runner(cfg: Config) -> Runner:
    """The config's runner, with a visualizer of its own."""
    leave_out_tensorboard(cfg.get('visualizer') or {})
    forget_visualizer(cfg.get('visualizer') or {})
    return AccumulationRunner.from_cfg(cfg)


def leave_out_tensorboard(visualizer: Config | dict) -> None:
    """Leave TensorBoard out where it is not installed; ``vis_backends`` is changed."""
    given = visualizer.get('vis_backends') or []
    usable = [one for one in given if one.get('type') != 'TensorboardVisBackend']
    if len(usable) < len(given) and find_spec('tensorboard') is None:
        visualizer['vis_backends'] = usable
        print_log(
            'tensorboard is not installed, so there are no TensorBoard logs; '
            'scalars.json has the same numbers. To have them: pip install tensorboard',
            'current',
        )


def forget_visualizer(visualizer: Mapping) -> None:
    """Let the next runner make its own visualizer.

    MMEngine keeps visualizers by name for the life of the process: the logs of a second
    run would go to the folder of the first.
    """
    kind = VISUALIZERS.get(visualizer.get('type', 'Visualizer'))
    if kind is not None:
        kind._instance_dict.pop(visualizer.get('name'), None)


def check_dump(runner: Runner) -> None:
    """Refuse, before a test, what no predictions could be kept of.

    Raises:
        ConfigError: no metric keeps the predictions.
    """
    metrics = runner.test_loop.evaluator.metrics
    if not any(isinstance(one, EpisodePCK) for one in metrics):
        raise ConfigError("dump needs test_evaluator=dict(type='EpisodePCK')")


def add_pictures(
    runner: Runner, show_dir: str | Path, num_show: int
) -> EpisodePicturesHook:
    """Have a test draw episodes, in the place of what the config says of them."""
    hook = EpisodePicturesHook(num_show, enabled=True, out_dir=str(show_dir))
    for other in [one for one in runner.hooks if isinstance(one, EpisodePicturesHook)]:
        runner.hooks.remove(other)
    runner.register_hook(hook)
    return hook
