"""The same few evaluation episodes as pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from ...errors import ConfigError
from ...structures import EpisodeDataSample
from ...utils.atomic_write import write_bytes_atomically
from ...utils.value_checks import check_at_least
from ...visualization import contact_sheet, draw_episode
from ..loops.episode_train_loop import training_progress

SHEET_NAME = 'contact_sheet.png'


@HOOKS.register_module()
class EpisodePicturesHook(Hook):
    """Draw episodes: support | query with truth | query with prediction.

    The episodes are the first of every category, in the order of the ids, then the
    second of every category, and so on: the same at every validation, and in every run
    on the same data. A validation hands each to the visualizer's backends, as
    ``val_episode_0012``, so that TensorBoard's slider shows one getting better; a test
    writes one contact sheet.

    Convention:
        - each episode is shown with its first query that was loaded; one of which
          nothing could be loaded is left out, not replaced
        - at most ``num_episodes`` pictures are drawn and held in memory
        - a picture that can't be written ends neither a training nor a test

    Attributes:
        failure: why the sheet could not be written, or None.

    Args:
        num_episodes: how many.
        enabled: whether to draw anything; without it the hook costs nothing.
        out_dir: folder of a test's sheet; the run's log folder if None.
        panel_size: side of one picture in pixels; None: one in which keypoints can be
            told apart.

    Raises:
        ConfigError: ``num_episodes`` is less than 1; while running, the evaluation has
            no fixed list of episodes.
    """

    priority = 'LOW'

    def __init__(
        self,
        num_episodes: int = 8,
        enabled: bool = False,
        out_dir: str | None = None,
        panel_size: int | None = None,
    ) -> None:
        check_at_least('num_episodes', num_episodes, 1)
        self.num_episodes = num_episodes
        self.enabled = enabled
        self.out_dir = out_dir
        self.panel_size = panel_size
        self.failure: OSError | None = None
        self._chosen: list[int] = []
        self._drawn: dict[int, np.ndarray] = {}

    def before_train(self, runner: Runner) -> None:
        """Refuse what can't work before time is spent on a training."""
        if self.enabled and runner.val_loop is not None:
            choose_indices(runner.val_dataloader.sampler, self.num_episodes)

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        """Choose the episodes of an evaluation."""
        if self.enabled and mode != 'train':
            self._drawn, self.failure = {}, None
            loader = getattr(runner, f'{mode}_dataloader')
            self._chosen = choose_indices(loader.sampler, self.num_episodes)

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Mapping | None = None,
        outputs: Sequence[EpisodeDataSample] | None = None,
        mode: str = 'train',
    ) -> None:
        """Draw the chosen episodes of a batch.

        Args:
            runner: not used.
            batch_idx: not used.
            data_batch: ``inputs`` holds lists of BGR uint8 ``support`` (S, 3, H, W) and
                ``query`` (Q, 3, H, W).
            outputs: the episodes with their predictions.
            mode: nothing is drawn in training.
        """
        if not self.enabled or mode == 'train':
            return
        for place, sample in enumerate(outputs):
            index = int(sample.episode_index)
            if index in self._chosen and len(sample.query_slots):
                images = (data_batch['inputs'][s][place] for s in ('support', 'query'))
                self._drawn[index] = draw_episode(*images, sample, self.panel_size)

    def _gather(self) -> dict[int, np.ndarray]:
        """Pictures of all processes, in the order of the choice."""
        gathered, self._drawn = all_gather_object(self._drawn), {}
        drawn = {index: image for part in gathered for index, image in part.items()}
        return {index: drawn[index] for index in self._chosen if index in drawn}

    def after_val_epoch(
        self, runner: Runner, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Hand the pictures to the backends."""
        if not self.enabled:
            return
        drawn = self._gather()
        if not is_main_process():
            return
        progress = training_progress(runner)
        step = 0 if progress is None else progress.done
        try:
            for index, image in drawn.items():
                rgb = np.ascontiguousarray(image[..., ::-1])
                runner.visualizer.add_image(f'val_episode_{index:04d}', rgb, step)
        except OSError as error:
            runner.logger.warning(f'pictures of episodes could not be written: {error}')

    def after_test_epoch(
        self, runner: Runner, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Write the sheet and log where it is."""
        if not self.enabled:
            return
        rows = list(self._gather().values())
        if not is_main_process():
            return
        if not rows:
            runner.logger.warning('no contact sheet: no test episode could be loaded')
            return
        path = Path(self.out_dir or runner.log_dir) / SHEET_NAME
        content = cv2.imencode('.png', contact_sheet(rows))[1]
        try:
            write_bytes_atomically(path, content.tobytes(), durable=False)
        except OSError as error:
            self.failure = error
            runner.logger.error(f'{path} could not be written: {error}')
            return
        runner.logger.info(f'contact sheet of {len(rows)} episodes: {path}')


def choose_indices(sampler: object, num_episodes: int) -> list[int]:
    """Indices of the episodes to draw, the same whenever the list is.

    Raises:
        ConfigError: the sampler has no fixed list of episodes.
    """
    episodes = getattr(sampler, 'episodes', None)
    if episodes is None:
        raise ConfigError(
            f'EpisodePicturesHook needs a fixed list of episodes, but the evaluation '
            f'draws them by {type(sampler).__name__}. Use '
            f"dict(type='FixedEpisodeSampler', ...), or set the hook to "
            f'enabled=False.'
        )
    turns: Counter[int] = Counter()
    keys = []
    for episode in episodes:
        keys.append((turns[episode.category_id], episode.category_id, episode.index))
        turns[episode.category_id] += 1
    return [index for _, _, index in sorted(keys)[:num_episodes]]
