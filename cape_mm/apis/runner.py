"""Training and testing as one call each; ``tools/*.py`` only parse arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..engine.trained_categories import (
    describe_overlap,
    remember_categories,
    trained_categories_of,
    usable_categories,
)
from ..errors import CheckpointError, ConfigError
from ..structures import Episode
from ..version import __version__
from .checkpoint import (
    NUM_SHOWN,
    check_architecture,
    describe_origin,
    load_weights,
    read_checkpoint,
)
from .config_checks import check_config
from .config_loading import (
    join_processes,
    load_config,
    set_amp,
    set_resume,
    set_work_dir,
)
from .quiet import quiet_training


def train(
    config_path: str | Path,
    work_dir: str | Path | None = None,
    resume: str | Path | None = None,
    amp: bool = False,
    no_validate: bool = False,
    cfg_options: Mapping | None = None,
    launcher: str = 'none',
) -> Path:
    """Train what a config describes.

    Args:
        config_path: config file.
        work_dir: folder for logs and checkpoints; default ``work_dirs/<config>``.
        resume: ``'auto'`` for the latest checkpoint of the work directory, or a path.
        amp: mixed precision.
        no_validate: leave validation out.
        cfg_options: overrides, e.g. ``{'randomness.seed': 1}``.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Returns:
        The work directory.

    Raises:
        CapeError: what the config, the data or a checkpoint makes impossible.
    """
    cfg = load_config(config_path, cfg_options)
    if no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.launcher = launcher
    set_work_dir(cfg, work_dir)
    set_resume(cfg, resume)
    check_config(cfg, 'train')
    set_amp(cfg, amp)
    join_processes(cfg)
    runner = build_runner(cfg)
    check_start(runner, cfg.get('load_from'), cfg.get('resume', False))
    with quiet_training(runner.logger):
        runner.train()
    if is_main_process():
        print(f'checkpoints and logs: {cfg.work_dir}')
    return Path(cfg.work_dir)


def test(
    config_path: str | Path,
    checkpoint: str | Path,
    work_dir: str | Path | None = None,
    cfg_options: Mapping | None = None,
    launcher: str = 'none',
    show_dir: str | Path | None = None,
    num_show: int = 20,
    out: str | Path | None = None,
    resume: bool = False,
    dump: str | Path | None = None,
) -> dict:
    """Test a checkpoint, print the table and write the metrics and the pairs.

    Args:
        config_path: config file.
        checkpoint: checkpoint file; it must fit the config's model exactly.
        work_dir: folder for logs and metrics; default ``work_dirs/<config>``.
        cfg_options: overrides.
        launcher: see :func:`train`.
        show_dir: folder for pictures of episodes; None draws none.
        num_show: number of episodes to draw.
        out: metrics file; default ``<work_dir>/metrics.json``. The pairs go beside it,
            into ``metrics.pairs.json``.
        resume: take the categories that an interrupted test of the same checkpoint
            finished in this work directory.
        dump: file for the predictions, COCO keypoint results; None keeps none.

    Returns:
        The metrics; under ``run`` what they were measured on, and
        ``trained_categories_in_test`` if the model was trained on some of them.

    Raises:
        CapeError: what the config, the data or the checkpoint makes impossible.
    """
    from ..evaluation.report import format_table, write_metrics
    from ..evaluation.result_files import write_dump, write_pair_files

    cfg = load_config(config_path, cfg_options)
    set_work_dir(cfg, work_dir)
    # The checkpoint is loaded strictly by us, not leniently by the runner.
    cfg.launcher, cfg.load_from, cfg.resume = launcher, None, False
    check_config(cfg, 'test')
    if resume:
        set_test_resume(cfg)
    content = read_checkpoint(checkpoint)  # a wrong path shows before any work
    if show_dir is not None:
        set_pictures(cfg, show_dir, num_show)
    if dump is not None:
        add_dump(cfg)
    join_processes(cfg)
    runner = build_runner(cfg)
    load_weights(runner.model, content, checkpoint)
    episodes = fixed_episodes(runner) if dump is not None else []
    metrics = runner.test()
    num_trained = count_trained(runner, content)
    if num_trained:
        metrics['trained_categories_in_test'] = num_trained
    metrics['run'] = describe_run(runner, config_path, checkpoint)
    if is_main_process():
        path = Path(out) if out is not None else Path(cfg.work_dir) / 'metrics.json'
        write_metrics(metrics, path)
        print(format_table(metrics))
        print(f'metrics: {path}')
        parts = runner.test_evaluator.metrics
        for pairs in write_pair_files(parts, metrics['run'], path):
            print(f'pairs: {pairs}')
        if dump is not None:
            print(f'predictions: {write_dump(parts, episodes, metrics["run"], dump)}')
        if show_dir is not None:
            print(f'pictures: {show_dir}')
    return metrics


def set_test_resume(cfg: Config) -> None:
    """Have the test loop take the categories that an interrupted test finished.

    Raises:
        ConfigError: the config's test loop keeps none.
    """
    kind = (cfg.get('test_cfg') or {}).get('type', 'TestLoop')
    if kind != 'EpisodeTestLoop':
        raise ConfigError(
            f"--resume needs test_cfg=dict(type='EpisodeTestLoop'), which keeps "
            f'finished categories; the config has {kind!r}'
        )
    cfg.test_cfg.resume = True


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


def describe_run(
    runner: Runner, config_path: str | Path, checkpoint: str | Path
) -> dict[str, str | int]:
    """What metrics were measured on and with, to tell results apart later."""
    dataloader = runner.test_loop.dataloader
    run = dict(
        config=str(config_path),
        checkpoint=str(checkpoint),
        cape_mm_version=__version__,
        episodes_sha256=getattr(dataloader.sampler, 'episodes_sha256', None),
        num_missing_images=getattr(dataloader.dataset, 'num_missing_images', None),
    )
    return {key: value for key, value in run.items() if value is not None}


def build_runner(cfg: Config) -> Runner:
    """The config's runner: MMEngine's, unless ``runner_type`` names another."""
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def add_dump(cfg: Config) -> None:
    """Let the test keep the predictions, beside what the config measures."""
    given = cfg.test_evaluator
    is_evaluator = isinstance(given, dict) and 'metrics' in given
    metrics = given['metrics'] if is_evaluator else given
    metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
    metrics.append(dict(type='PredictionDump'))
    cfg.test_evaluator = {**given, 'metrics': metrics} if is_evaluator else metrics


def fixed_episodes(runner: Runner) -> Sequence[Episode]:
    """The test's whole list of episodes, of all processes.

    Raises:
        ConfigError: there is no such list.
    """
    episodes = getattr(runner.test_loop.dataloader.sampler, 'episodes', None)
    if episodes is None:
        raise ConfigError(
            '--dump needs a test sampler of fixed episodes, such as '
            "dict(type='EpisodeSampler', mode='eval', ...)"
        )
    return episodes


def set_pictures(cfg: Config, show_dir: str | Path, num_show: int) -> None:
    """Switch ``EpisodeVisualizationHook`` on, in the config's entry if it has one.

    Raises:
        ConfigError: fewer than one episode.
    """
    if num_show < 1:
        raise ConfigError(f'--num-show must be at least 1, got {num_show}')
    settings = dict(
        type='EpisodeVisualizationHook',
        out_dir=str(show_dir),
        num_episodes=num_show,
        enabled=True,
    )
    entries = list((cfg.get('default_hooks') or {}).values())
    hooks = list(cfg.get('custom_hooks') or [])
    for hook in entries + hooks:
        if hook is not None and hook.get('type') == settings['type']:
            hook.update(settings)
            return
    cfg.custom_hooks = [*hooks, settings]


def check_start(runner: Runner, path: str | None, resume: bool) -> None:
    """Refuse to start from weights of another architecture.

    MMEngine loads what fits and only logs the rest. A resume must fit exactly; for
    fine-tuning (``load_from``), which may replace a part, half of the model must.

    Raises:
        CheckpointError: the weights do not fit the runner's model, or the file to
            resume from holds no state of a training.
    """
    if path is None or '://' in str(path):
        return
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    checkpoint = read_checkpoint(path)
    weights, expected = checkpoint['state_dict'], model.state_dict()
    others = [
        name
        for name, value in expected.items()
        if name not in weights or weights[name].shape != value.shape
    ]
    if resume or 2 * len(others) > len(expected):
        check_architecture(model, weights, path, describe_origin(checkpoint))
    if not resume:
        runner.logger.info(describe_fit(len(expected), others))
        remember_categories(runner.message_hub, trained_categories_of(checkpoint))
    elif not {'meta', 'optimizer', 'message_hub'} <= checkpoint.keys():
        raise CheckpointError(
            f'--resume: {path} holds weights, but no state of a training. Start a new '
            f'one from these weights with --cfg-options load_from={path}.'
        )


def describe_fit(num_weights: int, others: Sequence[str]) -> str:
    """How many weights ``load_from`` gives, and the first that it does not."""
    text = f'load_from: {num_weights - len(others)} of {num_weights} weights fit'
    if not others:
        return text
    shown = ', '.join(others[:NUM_SHOWN]) + (', ...' if others[NUM_SHOWN:] else '')
    return f'{text}; the others start afresh: {shown}'
