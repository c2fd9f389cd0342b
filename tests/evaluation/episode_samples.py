"""Evaluated episodes for the tests of the metric."""

import numpy as np
import torch
from mmengine.structures import InstanceData

from cape_mm.structures import EpisodeDataSample


def make_instances(keypoints, is_visible, boxes):
    return InstanceData(
        keypoints_orig=torch.as_tensor(keypoints),
        is_visible_orig=torch.as_tensor(is_visible),
        bboxes=torch.as_tensor(boxes),
    )


def make_sample(
    support, query, pred, index=0, slots=None, dropped=(), scores=None, **meta
):
    """An evaluated episode of instance data and predicted points (Q, K, 2).

    ``scores`` holds further fields of the prediction, each (Q, K).
    """
    slots = list(range(len(pred))) if slots is None else slots
    meta = {'category_id': 1, 'category_name': 'cat', **meta}
    sample = EpisodeDataSample(
        metainfo={
            'episode_index': index,
            'query_slots': slots,
            'dropped_pairs': [
                {'slot': slot, 'ann_id': 7, 'reason': reason}
                for slot, reason in dropped
            ],
            **meta,
        }
    )
    sample.support_instances = support
    sample.gt_instances = query
    sample.pred_instances = InstanceData(
        keypoints_orig=torch.as_tensor(pred),
        **{key: torch.as_tensor(value) for key, value in (scores or {}).items()},
    )
    return sample


def random_sample(index, num_queries=3, num_keypoints=5, **kwargs):
    rng = np.random.default_rng(index)
    box = torch.tensor([[5.0, 10.0, 80.0, 60.0]])

    def instances(num):
        points = rng.uniform(0, 100, (num, num_keypoints, 2))
        visible = rng.random((num, num_keypoints)) > 0.2
        return make_instances(points, visible, box.repeat(num, 1))

    support, query = instances(1), instances(num_queries)
    noise = torch.from_numpy(rng.normal(0, 12, (num_queries, num_keypoints, 2)))
    pred = query.keypoints_orig + noise
    scores = {
        name: rng.random((num_queries, num_keypoints)).astype(np.float32)
        for name in ('keypoint_scores', 'keypoints_visible')
    }
    kwargs = {'scores': scores, 'category_id': index % 2 + 1, **kwargs}
    return make_sample(support, query, pred, index, **kwargs)
