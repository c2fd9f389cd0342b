"""Made-up episodes with predictions, as an evaluation hands them to hooks."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.structures import InstanceData

from cape_mm.structures import EpisodeDataSample


def make_instances(
    rng: np.random.Generator, num: int, num_keypoints: int
) -> InstanceData:
    """Keypoints inside 64 x 64 pixels, all visible."""
    keypoints = torch.from_numpy(rng.uniform(4, 60, (num, num_keypoints, 2)))
    seen = torch.ones(num, num_keypoints, dtype=torch.bool)
    return InstanceData(
        keypoints=keypoints,
        keypoints_orig=keypoints,
        is_visible=seen,
        is_visible_orig=seen,
        bboxes=torch.tensor([[4.0, 4, 56, 56]] * num),
        ann_ids=torch.arange(num),
    )


def make_episode(
    index: int,
    category_id: int,
    shots: int = 1,
    queries: int = 2,
    num_keypoints: int = 4,
) -> tuple[dict, list[EpisodeDataSample]]:
    """Inputs and outputs of one iteration: one episode, predicted 2 pixels off.

    Every index has its own grey level.
    """
    rng = np.random.default_rng(index)
    sample = EpisodeDataSample(
        metainfo={
            'episode_index': index,
            'category_id': category_id,
            'category_name': 'cat',
            'skeleton': [[0, 1], [1, 2]],
            'query_slots': list(range(queries)),
        }
    )
    sample.support_instances = make_instances(rng, shots, num_keypoints)
    sample.gt_instances = make_instances(rng, queries, num_keypoints)
    points = sample.gt_instances.keypoints + 2
    sample.pred_instances = InstanceData(
        keypoints=points,
        keypoints_orig=points,
        keypoint_scores=torch.full(points.shape[:2], 0.9),
    )
    images = [
        torch.full((num, 3, 64, 64), 100 + 5 * index, dtype=torch.uint8)
        for num in (shots, queries)
    ]
    return {'inputs': {'support': images[:1], 'query': images[1:]}}, [sample]
