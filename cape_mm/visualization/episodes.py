"""Episodes as pictures: what was loaded, and what was predicted of it."""

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
"""Pictures beside each other; an episode may have 16 of them."""


def draw_episode(
    support: torch.Tensor,
    query: torch.Tensor,
    sample: EpisodeDataSample,
    panel_size: int | None = None,
) -> np.ndarray:
    """Draw an episode: the supports, then every query with its truth.

    Of an episode with predictions, the first query alone: with its truth, then with
    what was predicted. A visible keypoint is a disc, an invisible one whose place is
    known a ring; a predicted one is the more transparent the less certain it is.

    Args:
        support: BGR uint8 (S, 3, H, W).
        query: BGR uint8 (Q, 3, H, W), Q >= 1.
        sample: labels and, if there are any, predictions of the episode.
        panel_size: side of one picture in pixels; None: one in which keypoints can be
            told apart.

    Returns:
        BGR image, uint8 (height, width, 3).
    """
    has_pred = 'pred_instances' in sample
    queries = query[:1] if has_pred else query
    panels = [
        *instance_panels(support, sample.support_instances, 'support'),
        *instance_panels(queries, sample.gt_instances, 'query'),
    ]
    note = f'episode {sample.episode_index}'
    if has_pred:
        panels.append(_predicted_panel(query[0], sample))
        note = _score_note(sample)
    elif sample.get('dropped_pairs'):
        note += f', {len(sample.dropped_pairs)} dropped'
    title = f'{sample.category_id}  {sample.get("category_name", "")}'
    is_crowded = len(panels[0].keypoints) > CROWD
    size = panel_size or PANEL_SIZE * (2 if is_crowded and has_pred else 1)
    return episode_row(panels, sample.skeleton, title, note, size, NUM_COLUMNS)


def instance_panels(
    images: torch.Tensor, instances: InstanceData, role: str
) -> list[Panel]:
    """One panel per instance; its caption counts the visible keypoints.

    Args:
        images: BGR uint8 (N, 3, H, W).
        instances: labels of the images, N of them or more.
        role: 'support' or 'query'.
    """
    panels = []
    for row, image in enumerate(images):
        is_visible = _numpy(instances.is_visible[row])
        # a file that does not know a place says (0, 0)
        is_placed = (_numpy(instances.keypoints_orig[row]) != 0).any(axis=-1)
        number = f' {row + 1}' if len(images) > 1 else ''
        ann_id = int(instances.ann_ids[row])
        origin = f'id {ann_id}' if ann_id >= 0 else 'template'
        panels.append(
            Panel(
                _image(image),
                _numpy(instances.keypoints[row]),
                is_visible,
                f'{role}{number}  {is_visible.sum()}/{len(is_visible)}  {origin}',
                is_hollow=~is_visible & is_placed,
            )
        )
    return panels


def _predicted_panel(image: torch.Tensor, sample: EpisodeDataSample) -> Panel:
    """The keypoints that a support shows, where they were predicted."""
    pred = sample.pred_instances
    is_known = _numpy(sample.support_instances.is_visible).any(axis=0)
    scores = _numpy(pred.keypoint_scores)[0] if 'keypoint_scores' in pred else None
    points = _numpy(pred.keypoints)[0]
    return Panel(_image(image), points, is_known, 'query: prediction', scores)


def _score_note(sample: EpisodeDataSample) -> str:
    """The first pair's official PCK, as text."""
    truth, supports = sample.gt_instances, sample.support_instances
    mask = scorable_keypoints(
        _numpy(truth.is_visible_orig)[:1], _numpy(supports.is_visible_orig)
    )
    value = pck(
        _numpy(sample.pred_instances.keypoints_orig)[:1],
        _numpy(truth.keypoints_orig)[:1],
        mask,
        _numpy(truth.bboxes)[:1, 2:].max(axis=1),
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
