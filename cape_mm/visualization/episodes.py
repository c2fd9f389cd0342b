"""Episodes as pictures: predictions beside the truth, or all that was loaded."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.structures import InstanceData

from ..evaluation.functional import pck
from ..evaluation.scoring import scorable_keypoints
from ..structures import EpisodeDataSample
from .contact_sheet import PANEL_SIZE, Panel, episode_row
from .drawing import CROWD

PCK_THRESHOLD = 0.2
NUM_COLUMNS = 6
"""Pictures of a loaded episode beside each other; it may have 16 of them."""


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


def draw_loaded_episode(
    support: torch.Tensor,
    query: torch.Tensor,
    sample: EpisodeDataSample,
    panel_size: int = PANEL_SIZE,
    num_columns: int = NUM_COLUMNS,
) -> np.ndarray:
    """Draw what a model is given of an episode, and the truth that it is not.

    A visible keypoint is a disc, an invisible one whose place is known a ring.

    Args:
        support: BGR uint8 (S, 3, H, W).
        query: BGR uint8 (Q, 3, H, W).
        sample: labels of the episode.
        panel_size: side of one picture in pixels.
        num_columns: pictures beside each other before the next line.

    Returns:
        BGR image with S + Q pictures, uint8 (height, width, 3).
    """
    panels = [
        *instance_panels(support, sample.support_instances, sample, 'support'),
        *instance_panels(query, sample.gt_instances, sample, 'query'),
    ]
    title = f'{sample.category_id}  {sample.category_name}'
    return episode_row(
        panels, sample.skeleton, title, _note(sample), panel_size, num_columns
    )


def instance_panels(
    images: torch.Tensor, instances: InstanceData, sample: EpisodeDataSample, role: str
) -> list[Panel]:
    """One panel per instance; its caption counts the visible keypoints.

    Args:
        images: BGR uint8 (N, 3, H, W).
        instances: labels of the images, N of them.
        sample: the episode that they belong to.
        role: 'support' or 'query'.
    """
    panels = []
    for row, image in enumerate(images):
        is_visible = instances.is_visible[row].numpy()
        # a file that does not know a place says (0, 0)
        is_placed = (instances.keypoints_orig[row] != 0).any(dim=-1).numpy()
        number = f' {row + 1}' if len(images) > 1 else ''
        ann_id = int(instances.ann_ids[row])
        origin = f'id {ann_id}' if ann_id >= 0 else 'template'
        count = f'{is_visible.sum()}/{sample.num_keypoints}'
        panels.append(
            Panel(
                _image(image),
                instances.keypoints[row].numpy(),
                is_visible,
                f'{role}{number}  {count}  {origin}',
                is_hollow=~is_visible & is_placed,
            )
        )
    return panels


def _note(sample: EpisodeDataSample) -> str:
    """Number of the episode, and what can't be seen on the pictures."""
    parts = [f'episode {sample.episode_index}']
    if sample.dropped_pairs:
        parts.append(f'{len(sample.dropped_pairs)} dropped')
    return ', '.join(parts)
