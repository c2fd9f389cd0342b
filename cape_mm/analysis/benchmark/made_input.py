"""Episodes made up in memory: sizes as asked for, content without meaning."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.structures import InstanceData

from ...datasets.collate import collate_episodes
from ...structures import EpisodeDataSample


def make_batch(
    seed: int,
    batch_size: int,
    num_shots: int,
    num_queries: int,
    num_keypoints: int,
    input_size: int,
) -> dict:
    """A collated batch of noise images with every keypoint visible.

    Args:
        seed: of images, keypoints and skeletons.
        batch_size: B.
        num_shots: S.
        num_queries: Q of every episode.
        num_keypoints: K.
        input_size: side of the square images in pixels.

    Returns:
        What ``collate_episodes`` returns.
    """
    rng = np.random.default_rng(seed)
    sizes = (num_shots, num_queries, num_keypoints, input_size)
    return collate_episodes(
        [make_episode(rng, index, *sizes) for index in range(batch_size)]
    )


def make_episode(
    rng: np.random.Generator,
    index: int,
    num_shots: int,
    num_queries: int,
    num_keypoints: int,
    input_size: int,
) -> dict:
    """One data set item; see :func:`make_batch`."""
    size = (num_shots + num_queries, 3, input_size, input_size)
    images = torch.from_numpy(rng.integers(0, 256, size, dtype=np.uint8))
    sample = EpisodeDataSample(
        metainfo=dict(
            category_id=1,
            category_name='made',
            supercategory='made',
            skeleton=make_skeleton(rng, num_keypoints),
            num_keypoints=num_keypoints,
            episode_index=index,
            input_size=(input_size, input_size),
            query_slots=list(range(num_queries)),
            crop_to_image=np.tile(np.eye(2, 3), (num_queries, 1, 1)),
            dropped_pairs=[],
        )
    )
    sample.support_instances = make_labels(rng, num_shots, num_keypoints, input_size)
    sample.gt_instances = make_labels(rng, num_queries, num_keypoints, input_size)
    inputs = dict(support=images[:num_shots], query=images[num_shots:])
    return dict(inputs=inputs, data_samples=sample)


def make_skeleton(rng: np.random.Generator, num_keypoints: int) -> list[list[int]]:
    """A random tree over K keypoints, K - 1 edges."""
    return [[int(rng.integers(node)), node] for node in range(1, num_keypoints)]


def make_labels(
    rng: np.random.Generator, num: int, num_keypoints: int, input_size: int
) -> InstanceData:
    """Labels of ``num`` instances; source image and crop are the same."""
    points = rng.uniform(0, input_size - 1, (num, num_keypoints, 2)).astype(np.float32)
    keypoints = torch.from_numpy(points)
    is_visible = torch.ones(num, num_keypoints, dtype=torch.bool)
    ids = torch.from_numpy(rng.integers(1, 1_000_000, num))
    return InstanceData(
        keypoints=keypoints,
        keypoints_orig=keypoints.clone(),
        is_visible=is_visible,
        is_visible_orig=is_visible.clone(),
        bboxes=torch.tensor([[0.0, 0.0, input_size, input_size]]).repeat(num, 1),
        ann_ids=ids,
        img_ids=ids.clone(),
    )
