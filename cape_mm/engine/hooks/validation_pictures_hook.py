"""The same few episodes as pictures at every validation."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ...errors import ConfigError
from ...structures import Episode, EpisodeDataSample
from ...visualization import EpisodeVisualizer
from ..training_progress import training_progress

SIDES = ('support', 'query')
CATEGORY_ORDER_SEED = 0


@HOOKS.register_module()
class ValidationPicturesHook(Hook):
    """Hand episodes to the visualizer's backends: support | truth | prediction.

    The episodes are chosen once from the validation's fixed list, by turns from its
    categories, by a seed that is always the same. So they do not change from one
    validation to the next, nor from run to run on the same data, and TensorBoard's
    slider shows one episode getting better.

    Convention:
        - the name is ``val_episode_0012``, 12 being the index in the list
        - an episode of which nothing could be loaded is left out, not replaced
        - at most ``num_episodes`` pictures are drawn and held in memory
        - a picture that can't be written is no reason to stop a training: one warning

    Args:
        num_episodes: how many; each with its first query that was loaded.
        enabled: whether to draw anything; without it the hook costs nothing.

    Raises:
        ConfigError: ``num_episodes`` is less than 1.
    """

    priority = 'LOW'

    def __init__(self, num_episodes: int = 8, enabled: bool = False) -> None:
        if num_episodes < 1:
            raise ConfigError(
                f'ValidationPicturesHook: num_episodes must be at least 1, got '
                f'{num_episodes}. To have no pictures, set enabled=False.'
            )
        self.num_episodes = num_episodes
        self.enabled = enabled
        self._indices: frozenset[int] = frozenset()
        self._drawn: dict[int, np.ndarray] = {}

    def before_train(self, runner: Runner) -> None:
        """Refuse what can't work before time is spent on a training.

        Raises:
            ConfigError: see :func:`check_visualizer` and :func:`choose_indices`.
        """
        if self.enabled and runner.val_loop is not None:
            check_visualizer(runner.visualizer)
            choose_indices(runner.val_dataloader.sampler, self.num_episodes)

    def before_val_epoch(self, runner: Runner) -> None:
        """Choose the episodes."""
        self._drawn = {}
        if self.enabled:
            check_visualizer(runner.visualizer)
            sampler = runner.val_dataloader.sampler
            self._indices = choose_indices(sampler, self.num_episodes)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Mapping,
        outputs: Sequence[EpisodeDataSample],
    ) -> None:
        """Draw the chosen episodes of the batch.

        Args:
            runner: its visualizer draws.
            batch_idx: not used.
            data_batch, outputs: see ``EpisodeVisualizationHook.after_test_iter``.
        """
        if not self.enabled:
            return
        for place, sample in enumerate(outputs):
            index = int(sample.episode_index)
            if index not in self._indices or not len(sample.query_slots):
                continue
            images = {side: data_batch['inputs'][side][place] for side in SIDES}
            self._drawn[index] = runner.visualizer.draw_episode(images, sample)

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Gather the pictures of all processes and hand them to the backends."""
        if not self.enabled:
            return
        gathered, self._drawn = all_gather_object(self._drawn), {}
        if not is_main_process():
            return
        progress = training_progress(runner)
        step = 0 if progress is None else progress.done
        drawn = {index: picture for part in gathered for index, picture in part.items()}
        try:
            for index in sorted(drawn):
                name = f'val_episode_{index:04d}'
                runner.visualizer.add_image(name, drawn[index], step)
        except OSError as error:
            runner.logger.warning(f'pictures of episodes could not be written: {error}')


def check_visualizer(visualizer: object) -> None:
    """Refuse a visualizer that does not know episodes.

    Raises:
        ConfigError: it is of another type.
    """
    if not isinstance(visualizer, EpisodeVisualizer):
        raise ConfigError(
            f'ValidationPicturesHook needs visualizer=dict(type='
            f"'EpisodeVisualizer', ...), got {type(visualizer).__name__}. Change it, "
            f'or set the hook to enabled=False.'
        )


def choose_indices(sampler: object, num_episodes: int) -> frozenset[int]:
    """Indices of the episodes to draw, the same whenever the list is.

    Raises:
        ConfigError: the sampler has no fixed list of episodes.
    """
    episodes = getattr(sampler, 'episodes', None)
    if episodes is None:
        raise ConfigError(
            f'ValidationPicturesHook needs a fixed list of episodes, but the '
            f'validation draws them by {type(sampler).__name__}. Use '
            f"dict(type='FixedEpisodeSampler', ...), or set the hook to "
            f'enabled=False.'
        )
    return frozenset(one.index for one in spread_episodes(episodes, num_episodes))


def spread_episodes(episodes: Sequence[Episode], num_episodes: int) -> list[Episode]:
    """At most so many of the episodes, taken from the categories by turns.

    Args:
        episodes: equally many of every category.
        num_episodes: how many; where the last turn is not complete, chance (of a fixed
            seed) chooses its categories.

    Returns:
        The chosen ones, in their order.
    """
    category_ids = list(dict.fromkeys(episode.category_id for episode in episodes))
    random.Random(CATEGORY_ORDER_SEED).shuffle(category_ids)
    place = {category_id: i for i, category_id in enumerate(category_ids)}
    seen = dict.fromkeys(category_ids, 0)
    turns: list[tuple[int, int, int]] = []
    for number, episode in enumerate(episodes):
        turns.append((seen[episode.category_id], place[episode.category_id], number))
        seen[episode.category_id] += 1
    chosen = sorted(number for _, _, number in sorted(turns)[:num_episodes])
    return [episodes[number] for number in chosen]
