"""One loaded episode as a picture: the supports, then every query with its truth."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.structures import InstanceData

from ..structures import EpisodeDataSample
from .contact_sheet import PANEL_SIZE, Panel, episode_row

NUM_COLUMNS = 6
"""Pictures beside each other; an evaluation episode has 16 of them."""


def draw_loaded_episode(
    support: torch.Tensor,
    query: torch.Tensor,
    sample: EpisodeDataSample,
    panel_size: int = PANEL_SIZE,
    num_columns: int = NUM_COLUMNS,
) -> np.ndarray:
    """Draw what a model is given of an episode, and the truth that it is not.

    A visible keypoint is a disc, an invisible one whose place is known a ring, a
    virtual one a small square.

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
    num_real = sample.num_keypoints - sample.get('num_virtual_keypoints', 0)
    is_virtual = np.arange(sample.num_keypoints) >= num_real
    panels = []
    for row, image in enumerate(images):
        is_visible = instances.is_visible[row].numpy()
        # a file that does not know a place says (0, 0)
        is_placed = (instances.keypoints_orig[row] != 0).any(dim=-1).numpy()
        number = f' {row + 1}' if len(images) > 1 else ''
        ann_id = int(instances.ann_ids[row])
        origin = f'id {ann_id}' if ann_id >= 0 else 'template'
        count = f'{is_visible[:num_real].sum()}/{num_real}'
        panels.append(
            Panel(
                np.ascontiguousarray(image.numpy().transpose(1, 2, 0)),
                instances.keypoints[row].numpy(),
                is_visible,
                f'{role}{number}  {count}  {origin}',
                is_hollow=~is_visible & is_placed & ~is_virtual,
                is_virtual=is_virtual,
            )
        )
    return panels


def _note(sample: EpisodeDataSample) -> str:
    """Number of the episode, and what can't be seen on the pictures."""
    parts = [f'episode {sample.episode_index}']
    if sample.get('num_virtual_keypoints'):
        parts.append(f'{sample.num_virtual_keypoints} virtual')
    if sample.dropped_pairs:
        parts.append(f'{len(sample.dropped_pairs)} dropped')
    return ', '.join(parts)
