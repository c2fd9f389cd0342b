"""A contact sheet of test episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from cape_mm.structures import EpisodeDataSample
from cape_mm.utils.atomic_write import write_bytes_atomically
from cape_mm.visualization import contact_sheet, draw_episode

SHEET_NAME = 'contact_sheet.png'


class _Row(NamedTuple):
    """A drawn episode; rows with the smallest keys make the sheet."""

    occurrence: int  # how many episodes of this category came before
    category_id: int
    episode_index: int
    image: np.ndarray

    @property
    def key(self) -> tuple[int, int, int]:
        return self[:3]


@HOOKS.register_module()
class EpisodeVisualizationHook(Hook):
    """Save test episodes as pictures: support | query with truth | with prediction.

    The sample is spread over the categories and does not depend on chance: the first
    episode of every category in the order of the ids, then the second of every
    category, and so on, each with its first query that was loaded. At most
    ``num_episodes`` drawn rows are held in memory.

    A sheet that can't be written does not end the test, whose metrics would be lost.

    Attributes:
        failure: why the sheet could not be written, or None.

    Args:
        out_dir: folder of ``contact_sheet.png``; the run's log folder if None.
        num_episodes: rows of the sheet.
        enabled: whether to draw anything; MMPose's visualization hook has it too.
        panel_size: side of one picture in pixels.

    Raises:
        ValueError: ``num_episodes`` is less than 1.
    """

    priority = 'LOW'

    def __init__(
        self,
        out_dir: str | None = None,
        num_episodes: int = 12,
        enabled: bool = False,
        panel_size: int = 256,
    ) -> None:
        if num_episodes < 1:
            raise ValueError(f'num_episodes must be at least 1, got {num_episodes}')
        self.out_dir = out_dir
        self.num_episodes = num_episodes
        self.enabled = enabled
        self.panel_size = panel_size
        self._reset()

    def _reset(self) -> None:
        self.failure: OSError | None = None
        self._rows: list[_Row] = []
        self._seen: Counter[int] = Counter()

    def before_test_epoch(self, runner: Runner) -> None:
        """Forget an earlier test."""
        self._reset()

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Mapping,
        outputs: Sequence[EpisodeDataSample],
    ) -> None:
        """Draw the episodes of the batch that belong on the sheet.

        Args:
            runner: not used.
            batch_idx: not used.
            data_batch: ``inputs`` holds lists of BGR uint8 ``support`` (S, 3, H, W) and
                ``query`` (Q, 3, H, W).
            outputs: the episodes with their predictions.
        """
        if not self.enabled:
            return
        inputs = data_batch['inputs']
        for place, sample in enumerate(outputs):
            if not len(sample.query_slots):
                continue
            category_id = int(sample.category_id)
            key = (self._seen[category_id], category_id, int(sample.episode_index))
            self._seen[category_id] += 1
            if len(self._rows) < self.num_episodes or key < self._rows[-1].key:
                images = inputs['support'][place], inputs['query'][place]
                row = draw_episode(*images, sample, self.panel_size)
                self._rows = self._first([*self._rows, _Row(*key, row)])

    def _first(self, rows: list[_Row]) -> list[_Row]:
        return sorted(rows, key=lambda row: row.key)[: self.num_episodes]

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Write the sheet on the main process and log where it is."""
        if not self.enabled:
            return
        gathered = all_gather_object(self._rows)
        rows = self._first([row for part in gathered for row in part])
        self._reset()
        if not is_main_process():
            return
        if not rows:
            runner.logger.warning('no contact sheet: no test episode could be loaded')
            return
        path = Path(self.out_dir or runner.log_dir) / SHEET_NAME
        content = cv2.imencode('.png', contact_sheet([row.image for row in rows]))[1]
        try:
            write_bytes_atomically(path, content.tobytes(), durable=False)
        except OSError as error:
            self.failure = error
            runner.logger.error(f'{path} could not be written: {error}')
            return
        runner.logger.info(f'contact sheet of {len(rows)} episodes: {path}')
