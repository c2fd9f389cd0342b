"""What the options of a test change in its config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from ..errors import ConfigError
from ..structures import Episode


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
            "dict(type='FixedEpisodeSampler', ...)"
        )
    return episodes


def set_pictures(cfg: Config, show_dir: str | Path, num_show: int) -> None:
    """Switch ``EpisodePicturesHook`` on, in the config's entry if it has one.

    Raises:
        ConfigError: fewer than one episode.
    """
    if num_show < 1:
        raise ConfigError(f'--num-show must be at least 1, got {num_show}')
    settings = dict(
        type='EpisodePicturesHook',
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
