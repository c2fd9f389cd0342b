"""A predicted episode as a picture: supports | query with truth | with prediction."""

from __future__ import annotations

import numpy as np
import torch

from ..evaluation.functional import pck
from ..evaluation.scoring import scorable_keypoints
from ..structures import EpisodeDataSample
from .contact_sheet import PANEL_SIZE, Panel, episode_row
from .drawing import CROWD

PCK_THRESHOLD = 0.2


def draw_episode(
    support: torch.Tensor,
    query: torch.Tensor,
    sample: EpisodeDataSample,
    panel_size: int | None = None,
    index: int = 0,
    draw_gt: bool = True,
    draw_pred: bool = True,
) -> np.ndarray:
    """Draw one episode with one of its queries.

    A predicted keypoint is the more transparent the less certain it is.

    Args:
        support: BGR uint8 (S, 3, H, W).
        query: BGR uint8 (Q, 3, H, W), Q >= 1.
        sample: labels and, if there are any, predictions of the episode.
        panel_size: side of one picture in pixels; None: one in which keypoints can be
            told apart.
        index: which of the queries.
        draw_gt: whether to draw the query with its truth.
        draw_pred: whether to draw the query with its prediction, if it has one.

    Returns:
        BGR image with up to S + 2 pictures, uint8 (height, width, 3).
    """
    has_pred = draw_pred and 'pred_instances' in sample
    panels = _support_panels(support, sample)
    picture = _image(query[index])
    if draw_gt:
        truth = sample.gt_instances
        points, shown = _numpy(truth.keypoints), _numpy(truth.is_visible)
        panels.append(Panel(picture, points[index], shown[index], 'query: truth'))
    if has_pred:
        panels.append(_predicted_panel(picture, sample, index))
    title = f'{sample.category_id}  {sample.get("category_name", "")}'
    note = _score_note(sample, index) if has_pred else ''
    size = panel_size or readable_size(len(panels[0].keypoints))
    return episode_row(panels, sample.skeleton, title, note, size)


def readable_size(num_keypoints: int) -> int:
    """Side of a picture in which so many keypoints can be told apart, in pixels."""
    return PANEL_SIZE if num_keypoints <= CROWD else 2 * PANEL_SIZE


def _support_panels(support: torch.Tensor, sample: EpisodeDataSample) -> list[Panel]:
    supports = sample.support_instances
    points, shown = _numpy(supports.keypoints), _numpy(supports.is_visible)
    return [
        Panel(
            _image(support[shot]),
            points[shot],
            shown[shot],
            'support' if len(support) == 1 else f'support {shot + 1}',
        )
        for shot in range(len(support))
    ]


def _predicted_panel(
    picture: np.ndarray, sample: EpisodeDataSample, index: int
) -> Panel:
    """The keypoints that a support shows, where they were predicted."""
    pred = sample.pred_instances
    is_known = _numpy(sample.support_instances.is_visible).any(axis=0)
    scores = _numpy(pred.keypoint_scores)[index] if 'keypoint_scores' in pred else None
    points = _numpy(pred.keypoints)[index]
    return Panel(picture, points, is_known, 'query: prediction', scores)


def _score_note(sample: EpisodeDataSample, index: int) -> str:
    """The pair's official PCK, as text."""
    truth, supports = sample.gt_instances, sample.support_instances
    mask = scorable_keypoints(
        _numpy(truth.is_visible_orig), _numpy(supports.is_visible_orig)
    )[index]
    value = pck(
        _numpy(sample.pred_instances.keypoints_orig)[[index]],
        _numpy(truth.keypoints_orig)[[index]],
        mask[None],
        _numpy(truth.bboxes)[[index], 2:].max(axis=1),
        PCK_THRESHOLD,
    )[0]
    if np.isnan(value):
        return 'nothing to score'
    return f'PCK@{PCK_THRESHOLD:g} {100 * value:.0f} % of {mask.sum()}'


def _numpy(value: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    return np.asarray(value)


def _image(tensor: torch.Tensor) -> np.ndarray:
    """(3, H, W) tensor to (H, W, 3) array."""
    return np.ascontiguousarray(_numpy(tensor).transpose(1, 2, 0))
