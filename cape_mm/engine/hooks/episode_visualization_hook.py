"""A contact sheet of test episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from cape_mm.evaluation.functional import pck
from cape_mm.evaluation.pair_records import scorable_keypoints
from cape_mm.structures import EpisodeDataSample
from cape_mm.visualization import Panel, contact_sheet, episode_row

PCK_THRESHOLD = 0.2
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
        for support, query, sample in zip(inputs['support'], inputs['query'], outputs):
            if not len(query):
                continue
            category_id = int(sample.category_id)
            key = (self._seen[category_id], category_id, int(sample.episode_index))
            self._seen[category_id] += 1
            if len(self._rows) < self.num_episodes or key < self._rows[-1].key:
                row = draw_episode(support, query, sample, self.panel_size)
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
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), contact_sheet([row.image for row in rows])):
            raise OSError(f'could not write {path}')
        runner.logger.info(f'contact sheet of {len(rows)} episodes: {path}')


def draw_episode(
    support: torch.Tensor,
    query: torch.Tensor,
    sample: EpisodeDataSample,
    panel_size: int = 256,
) -> np.ndarray:
    """Draw one episode with its first query.

    Args:
        support: BGR uint8 (S, 3, H, W).
        query: BGR uint8 (Q, 3, H, W), Q >= 1.
        sample: labels and predictions of the episode.
        panel_size: side of one picture in pixels.

    Returns:
        BGR image with S + 2 pictures, uint8 (height, width, 3).
    """
    supports, truth = sample.support_instances, sample.gt_instances
    is_known = _numpy(supports.is_visible).any(axis=0)
    pred = sample.pred_instances
    panels = [
        Panel(
            _image(support[shot]),
            _numpy(supports.keypoints)[shot],
            _numpy(supports.is_visible)[shot],
            'support' if len(support) == 1 else f'support {shot + 1}',
        )
        for shot in range(len(support))
    ]
    picture = _image(query[0])
    shown = _numpy(truth.is_visible)[0]
    panels.append(Panel(picture, _numpy(truth.keypoints)[0], shown, 'query: truth'))
    scores = _numpy(pred.keypoint_scores)[0] if 'keypoint_scores' in pred else None
    panels.append(
        Panel(picture, _numpy(pred.keypoints)[0], is_known, 'query: prediction', scores)
    )
    title = f'{sample.category_id}  {sample.get("category_name", "")}'
    return episode_row(panels, sample.skeleton, title, _score_note(sample), panel_size)


def _score_note(sample: EpisodeDataSample) -> str:
    """The first pair's official PCK, as text."""
    truth, supports = sample.gt_instances, sample.support_instances
    mask = scorable_keypoints(
        _numpy(truth.is_visible_orig), _numpy(supports.is_visible_orig)
    )
    value = pck(
        _numpy(sample.pred_instances.keypoints_orig)[:1],
        _numpy(truth.keypoints_orig)[:1],
        mask[:1],
        _numpy(truth.bboxes)[:1, 2:].max(axis=1),
        PCK_THRESHOLD,
    )[0]
    if np.isnan(value):
        return 'nothing to score'
    return f'PCK@{PCK_THRESHOLD:g} {100 * value:.0f} % of {mask[0].sum()}'


def _numpy(value: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    return np.asarray(value)


def _image(tensor: torch.Tensor) -> np.ndarray:
    """(3, H, W) tensor to (H, W, 3) array."""
    return np.ascontiguousarray(_numpy(tensor).transpose(1, 2, 0))
