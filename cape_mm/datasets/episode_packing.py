"""Putting the loaded instances of one episode together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import InstanceData

from ..structures import Episode, EpisodeDataSample
from .categories import Category

LABEL_KEYS = ('keypoints', 'keypoints_orig', 'is_visible', 'is_visible_orig')
OPTIONAL_KEYS = ('visibility',)
"""Labels that only some sources tell."""


def pack_episode(
    episode: Episode,
    category: Category,
    supports: list[dict],
    queries: list[dict],
    dropped_pairs: list[dict],
    redrawn: Sequence[dict] = (),
) -> dict[str, dict | EpisodeDataSample]:
    """Stack packed instances into one data set item.

    Args:
        episode: the episode that was asked for.
        category: its category.
        supports: what ``PackInstance`` returned for every support; empty where the
            whole episode was dropped.
        queries: the same for the queries that could be loaded.
        dropped_pairs: ``dict(slot, ann_id, reason)`` of every pair left out.
        redrawn: ``dict(ann_id, reason)`` of every instance that was replaced.

    Returns:
        ``inputs`` with uint8 BGR images ``support`` (S, 3, H, W) and ``query``
        (Q, 3, H, W), and ``data_samples``, an :class:`EpisodeDataSample`.
    """
    dropped_slots = {pair['slot'] for pair in dropped_pairs}
    sample = EpisodeDataSample(
        metainfo=dict(
            category_id=category.id,
            category_name=category.name,
            supercategory=category.supercategory,
            skeleton=[list(edge) for edge in category.skeleton],
            num_keypoints=category.num_keypoints,
            episode_index=episode.index,
            input_size=queries[0]['input_size'] if queries else None,
            query_slots=[
                slot
                for slot in range(len(episode.query_ids))
                if slot not in dropped_slots
            ],
            query_img_paths=[query['img_path'] for query in queries],
            support_img_paths=[support['img_path'] for support in supports],
            crop_to_image=_stack_maps(queries),
            dropped_pairs=dropped_pairs,
            redrawn=list(redrawn),
            episode=episode,
        )
    )
    sample.support_instances = _stack_labels(supports, category.num_keypoints)
    sample.gt_instances = _stack_labels(queries, category.num_keypoints)
    inputs = dict(support=_stack_images(supports), query=_stack_images(queries))
    return dict(inputs=inputs, data_samples=sample)


def _stack_maps(instances: list[dict]) -> np.ndarray:
    maps = [instance['crop_to_image'] for instance in instances]
    return np.stack(maps) if maps else np.zeros((0, 2, 3))


def _stack_images(instances: list[dict]) -> torch.Tensor:
    if not instances:
        return torch.zeros(0, 3, 0, 0, dtype=torch.uint8)
    if len(instances) == 1:
        return instances[0]['image'][None]  # no copy
    return torch.stack([instance['image'] for instance in instances])


def _stack_labels(instances: list[dict], num_keypoints: int) -> InstanceData:
    if not instances:
        points = torch.zeros(0, num_keypoints, 2)
        mask = torch.zeros(0, num_keypoints, dtype=torch.bool)
        labels = dict(zip(LABEL_KEYS, (points, points, mask, mask)))
        ids = torch.zeros(0, dtype=torch.int64)
        return InstanceData(
            **labels, bboxes=torch.zeros(0, 4), ann_ids=ids, img_ids=ids
        )
    labels = {
        key: torch.stack([inst[key] for inst in instances])
        for key in (*LABEL_KEYS, *OPTIONAL_KEYS)
        if key in LABEL_KEYS or all(key in inst for inst in instances)
    }
    return InstanceData(
        **labels,
        bboxes=torch.stack([inst['bbox'] for inst in instances]),
        ann_ids=torch.tensor([inst['ann_id'] for inst in instances]),
        img_ids=torch.tensor([inst['img_id'] for inst in instances]),
    )
