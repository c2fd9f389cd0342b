"""A CAPE model and episodes so small that a test with them takes milliseconds.

Images are noise and weights are random: an invariance must hold for any of them. What
a new model adds to the appearance of the keypoints, its head's correction and its hop
biases are zero. That would hide a broken transformer, so :func:`build_cape` fills them.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from torch import Tensor, nn

import cape_mm  # noqa: F401  (registers everything)
from cape_mm.datasets import collate_episodes
from cape_mm.models.heads import AutoregressiveHead, EpisodeContext
from cape_mm.models.layers import HopBias
from cape_mm.structures import EpisodeDataSample
from cape_mm.structures.geometry import apply_affine
from cape_mm.structures.skeleton import hop_distances

EMBED_DIMS = 16
INPUT_SIZE = (64, 64)
SKELETONS = {
    1: [],
    5: [(0, 1), (1, 2), (2, 3), (3, 4)],
    6: [(0, 1), (0, 2), (2, 3), (4, 5)],
    7: [],
}
"""By number of keypoints: a chain, two parts without a path between them, no edge."""

NORMS = {
    'frozen_bn': dict(norm_cfg=dict(type='BN'), norm_eval=True),
    'gn': dict(norm_cfg=dict(type='GN', num_groups=4), norm_eval=False),
}
PLAIN_PREFIX = dict(truth_prob=1.0, noise_std=0.0, drop_prob=0.0)
"""Prefix mix without chance: the truth where there is one."""


def cpu_has_float16() -> bool:
    """Whether this PyTorch runs a transformer in float16 without a GPU."""
    tokens = torch.ones(1, 1, 4, 4, dtype=torch.float16)
    try:
        tokens = F.scaled_dot_product_attention(tokens, tokens, tokens)
        F.gelu(F.layer_norm(F.linear(tokens, tokens[0, 0]), (4,)))
    except RuntimeError:
        return False
    return True


LOW_DTYPES = (
    torch.float32,
    torch.bfloat16,
    pytest.param(
        torch.float16,
        marks=pytest.mark.skipif(
            not cpu_has_float16(), reason='this PyTorch has no float16 on the CPU'
        ),
    ),
)
"""For tests that must stay finite in every precision."""


def tiny_backbone(norm: str = 'frozen_bn') -> dict:
    """Config of a ResNet-18 with 8 base channels."""
    return dict(
        type='ResNet',
        depth=18,
        stem_channels=8,
        base_channels=8,
        out_indices=(1, 2, 3),
        init_cfg=None,
        **NORMS[norm],
    )


def cape_config(norm: str = 'frozen_bn', **overrides) -> dict:
    """Config of the tiny model; ``head`` in ``overrides`` is merged, others replace."""
    head = dict(type='AutoregressiveHead', num_layers=2, num_heads=2)
    head |= overrides.pop('head', {})
    config = dict(
        type='CAPE',
        backbone=tiny_backbone(norm),
        neck=dict(
            type='FPN', in_channels=[16, 32, 64], out_channels=EMBED_DIMS, num_outs=3
        ),
        embed_dims=EMBED_DIMS,
        pose_graph_encoder=dict(num_layers=2, num_heads=2),
        joint_encoder=dict(num_layers=2, num_heads=2),
        head=head,
    )
    return config | overrides


def build_cape(
    norm: str = 'frozen_bn', seed: int = 0, dtype: torch.dtype = torch.float64, **kwargs
) -> nn.Module:
    """A tiny model with all weights random, in training mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MODELS.build(cape_config(norm, **kwargs))
        fill_zero_weights(model)
    return model.to(dtype)


def fill_zero_weights(module: nn.Module) -> None:
    """Randomise what starts at zero, and give frozen statistics something to do."""
    for part in module.modules():
        if isinstance(part, HopBias):
            nn.init.normal_(part.bias.weight)
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.2)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
        if isinstance(part, (nn.Linear, nn.Conv2d)) and not part.weight.any():
            nn.init.normal_(part.weight, std=0.3)
            nn.init.normal_(part.bias, std=0.3)


def build_autoregressive_head(fill: bool = True, **kwargs) -> AutoregressiveHead:
    """A head in float64 whose decoder, unless new, corrects something."""
    torch.manual_seed(0)
    head = AutoregressiveHead(16, num_layers=2, num_heads=2, **kwargs).double()
    if fill:
        fill_zero_weights(head)
    return head


def make_instances(
    rng: np.random.Generator, maps: np.ndarray, is_visible: np.ndarray
) -> InstanceData:
    """Labels of as many instances as there are rows in ``is_visible``, (N, K)."""
    num, num_keypoints = is_visible.shape
    points = rng.uniform(0, INPUT_SIZE[0] - 1, (num, num_keypoints, 2))
    ids = torch.from_numpy(rng.integers(1, 1000, num))
    return InstanceData(
        keypoints=torch.from_numpy(points).float(),
        keypoints_orig=torch.from_numpy(apply_affine(maps, points)).float(),
        is_visible=torch.from_numpy(is_visible),
        is_visible_orig=torch.from_numpy(is_visible),
        bboxes=torch.from_numpy(rng.uniform(1, 50, (num, 4))).float(),
        ann_ids=ids,
        img_ids=ids + 1000,
    )


def make_episode(
    seed: int = 0,
    num_keypoints: int = 5,
    num_shots: int = 1,
    num_queries: int = 2,
    support_hidden: tuple[tuple[int, int], ...] = (),
    query_hidden: tuple[tuple[int, int], ...] = (),
) -> dict:
    """One data set item.

    Args:
        seed: of images and keypoints.
        num_keypoints: K, a key of ``SKELETONS``.
        num_shots: S.
        num_queries: Q; 0 gives a dropped episode, S is 0 then too.
        support_hidden: invisible (shot, keypoint) pairs.
        query_hidden: invisible (query, keypoint) pairs.
    """
    rng = np.random.default_rng(seed)
    num_shots = num_shots if num_queries else 0
    labels, maps = [], []
    for num, hidden in ((num_shots, support_hidden), (num_queries, query_hidden)):
        is_visible = np.ones((num, num_keypoints), dtype=bool)
        for pair in hidden:
            is_visible[pair] = False
        maps.append(rng.normal(0, 2, (num, 2, 3)))
        labels.append(make_instances(rng, maps[-1], is_visible))
    size = INPUT_SIZE if num_queries else (0, 0)
    images = rng.integers(
        0, 256, (num_shots + num_queries, 3, *size[::-1]), dtype=np.uint8
    )
    sample = EpisodeDataSample(
        metainfo=dict(
            category_id=num_keypoints,
            skeleton=[list(edge) for edge in SKELETONS[num_keypoints]],
            num_keypoints=num_keypoints,
            input_size=INPUT_SIZE if num_queries else None,
            query_slots=list(range(num_queries)),
            crop_to_image=maps[1],
            dropped_pairs=[],
        )
    )
    sample.support_instances, sample.gt_instances = labels
    support, query = torch.from_numpy(images).split([num_shots, num_queries])
    return dict(inputs=dict(support=support, query=query), data_samples=sample)


def mixed_episodes(num_shots: int = 1) -> list[dict]:
    """Episodes that differ in K, number of queries, skeleton and known keypoints."""
    unknown = tuple(
        (shot, keypoint) for shot in range(num_shots) for keypoint in (1, 4)
    )
    return [
        make_episode(1, 6, num_shots, 2, support_hidden=unknown),
        make_episode(2, 5, num_shots, 3, query_hidden=((0, 2), (2, 0))),
        make_episode(3, 7, num_shots, 1, support_hidden=unknown[:1]),
    ]


def permute_keypoints(item: dict, order: list[int]) -> dict:
    """The same episode with its keypoints listed in another order."""
    item = deepcopy(item)
    sample = item['data_samples']
    place = {old: new for new, old in enumerate(order)}
    edges = [[place[a], place[b]] for a, b in sample.skeleton]
    sample.set_metainfo(dict(skeleton=edges))
    for instances in (sample.support_instances, sample.gt_instances):
        for key in ('keypoints', 'keypoints_orig', 'is_visible', 'is_visible_orig'):
            instances.set_field(instances[key][:, order], key)
    return item


def prepare(model: nn.Module, items: list[dict]) -> dict:
    """Collate and preprocess copies of data set items."""
    return model.data_preprocessor(collate_episodes(deepcopy(items)))


def predict(
    model: nn.Module, items: list[dict], mode: str = 'ar'
) -> list[InstanceData]:
    """Predictions for copies of data set items, one record per episode."""
    model.eval()
    model.test_cfg = dict(mode=mode)
    samples = model.test_step(collate_episodes(deepcopy(items)))
    return [sample.pred_instances for sample in samples]


def compute_loss(model: nn.Module, items: list[dict]) -> Tensor:
    """Sum of all losses of a batch."""
    losses = model(**prepare(model, items), mode='loss')
    return torch.stack(list(losses.values())).sum()


def make_context(model: nn.Module, items: list[dict]) -> EpisodeContext:
    """Encoded episodes, without gradients."""
    model.eval()
    with torch.no_grad():
        return model.encode(prepare(model, items)['inputs'])


def permute_context(context: EpisodeContext, order: Tensor) -> EpisodeContext:
    """An encoded batch with its keypoints in another order, the same in every row."""
    return replace(
        context,
        keypoint_tokens=context.keypoint_tokens[:, order],
        hops=context.hops[:, order][:, :, order],
        is_known=context.is_known[:, order],
    )


def assert_same_fields(actual, expected) -> None:
    """Two records of tensors hold the same bits."""
    for field in fields(expected):
        one, other = getattr(actual, field.name), getattr(expected, field.name)
        if other is None:
            assert one is None, field.name
            continue
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other)), field.name


def random_context(rng: torch.Generator, edges, is_known: Tensor) -> EpisodeContext:
    """A random encoded batch in float64.

    Args:
        rng: source of all numbers.
        edges: skeleton of every row, N of them.
        is_known: bool (N, K).
    """
    num, num_keypoints = is_known.shape

    def noise(*shape: int) -> Tensor:
        return torch.randn(num, *shape, generator=rng, dtype=torch.float64)

    hops = np.stack([hop_distances(row, num_keypoints) for row in edges])
    return EpisodeContext(
        keypoint_tokens=noise(num_keypoints, EMBED_DIMS),
        query_tokens=noise(9, EMBED_DIMS),
        fine_map=noise(EMBED_DIMS, 8, 8),
        hops=torch.from_numpy(hops),
        is_known=is_known,
        num_steps=int(is_known.sum(dim=1).max()),
    )
