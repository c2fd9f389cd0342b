"""Checks of what a config asks of an episode sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import ConfigError
from .frozen_episodes import describe_protocol


def check_mode(mode: str, episodes_file: str | None) -> None:
    """Check the mode, and that only an evaluation replays stored episodes.

    Raises:
        ConfigError: it is not so.
    """
    if mode not in ('train', 'eval'):
        raise ConfigError(f"EpisodeSampler: mode is 'train' or 'eval', got {mode!r}")
    if mode == 'train' and episodes_file is not None:
        raise ConfigError(
            f"EpisodeSampler: episodes_file needs mode='eval', since training draws "
            f'afresh in every epoch; got {episodes_file}'
        )


def check_lengths(mode: str, per_epoch: int | None, per_category: int | None) -> None:
    """Check that the number of episodes to draw is given and positive.

    Raises:
        ConfigError: it is not.
    """
    wanted = {'train': 'episodes_per_epoch', 'eval': 'episodes_per_category'}
    given = {'train': per_epoch, 'eval': per_category}
    if given[mode] is None or given[mode] < 1:
        raise ConfigError(
            f'EpisodeSampler: mode={mode!r} needs {wanted[mode]} >= 1, got '
            f'{given[mode]}'
        )


def check_debugging(
    same_instance: bool,
    max_categories: int | None,
    episodes_file: str | None,
    draw: tuple[int, int, int, bool] | None,
) -> None:
    """Check the options that only debugging has a use for.

    Args:
        same_instance: queries are their own supports.
        max_categories: number of categories; None is all.
        episodes_file: stored episodes that are replayed, or None.
        draw: arguments of ``describe_protocol`` in evaluation, None in training.

    Raises:
        ConfigError: the number is not positive, or images that are their own supports
            would stand in for stored episodes or for the official draw.
    """
    if max_categories is not None and max_categories < 1:
        raise ConfigError(
            f'EpisodeSampler: max_categories must be at least 1, got {max_categories}'
        )
    if episodes_file is not None and (same_instance or max_categories is not None):
        raise ConfigError(
            f'EpisodeSampler: same_instance and max_categories change what is drawn, '
            f'and the episodes of {episodes_file} are not drawn. Leave them out.'
        )
    if same_instance and draw and describe_protocol(*draw).startswith('official'):
        raise ConfigError(
            f'EpisodeSampler: same_instance=True shows a model its query as the '
            f'support: a check of the wiring, not to be mistaken for the '
            f'{describe_protocol(*draw)}. Leave it out, or draw fewer episodes.'
        )


def read_num_shots(num_shots: int | Sequence[int], mode: str) -> tuple[int, int]:
    """Smallest and largest number of supports of an episode.

    Raises:
        ConfigError: neither a number nor, in training, a pair of them.
    """
    is_pair = isinstance(num_shots, (list, tuple)) and len(num_shots) == 2
    low, high = num_shots if is_pair else (num_shots, num_shots)
    if not (type(low) is type(high) is int) or low > high:
        raise ConfigError(
            f'EpisodeSampler: num_shots is a number or, in training, a pair '
            f'(low, high) with low <= high, got {num_shots!r}'
        )
    if is_pair and mode == 'eval':
        raise ConfigError(
            f"EpisodeSampler: mode='eval' takes one number of shots, got "
            f'{num_shots!r}. Evaluate once for each, e.g. --cfg-options '
            f'test_dataloader.sampler.num_shots=5'
        )
    return low, high


def agreed_settings(
    given: Sequence[object], stored: Mapping[str, object], path: str
) -> tuple:
    """The settings of stored episodes, which those that are given may not contradict.

    Args:
        given: sampler arguments in the order of ``stored``; None where the file
            decides.
        stored: the file's values by name.
        path: the file, for messages.

    Returns:
        The file's values.

    Raises:
        ConfigError: a value that is given differs.
    """
    for (name, value), wanted in zip(stored.items(), given):
        if wanted is not None and wanted != value:
            raise ConfigError(
                f'EpisodeSampler: {name}={wanted!r}, but the episodes of {path} have '
                f'{name}={value!r}. Set {name}=None to take the value of the file, or '
                f'replay another file.'
            )
    return tuple(stored.values())
