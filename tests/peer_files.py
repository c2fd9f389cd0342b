"""Checkpoints such as CapeFormer's and GraphCape's own code writes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import Tensor, nn

from cape_mm.compat.stored_config import without_initialisation

CONFIGS = Path(__file__).resolve().parents[1] / 'configs/peers'


def save(path: Path, weights: Mapping[str, Tensor], **more: object) -> Path:
    """Write what MMCV 1.x wrote beside the weights, too."""
    meta = dict(config="raise SystemExit('ran')", mmcv_version='1.3.17', epoch=200)
    optimizer = dict(state={0: dict(step=3)}, param_groups=[dict(lr=1e-5)])
    content = dict(meta=meta, state_dict=dict(weights), optimizer=optimizer)
    torch.save(content | more, path)
    return path


def build(name: str) -> nn.Module:
    """A config's model, without memory for its weights."""
    model = Config.fromfile(CONFIGS / f'{name}.py').model
    with torch.device('meta'):
        return MODELS.build(without_initialisation(model))


def published_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a published checkpoint, written down from the papers' sizes.

    Args:
        name: of the config.
    """
    is_graph, is_swin = 'graphcape' in name, 'swin' in name
    width, hidden = (768, 768) if is_swin else (2048, 2048)
    shapes = _backbone_shapes(name, 'backbone' if is_graph else 'encoder_sample')
    if not is_graph:
        shapes |= _backbone_shapes(name, 'encoder_query')

    def add(prefix: str, *shape: int) -> None:
        shapes[f'keypoint_head.{prefix}.weight'] = shape
        shapes[f'keypoint_head.{prefix}.bias'] = shape[:1]

    add('input_proj', 256, width, 1, 1)
    add('query_proj', 256, width)
    for part in ('support_proj', 'query_proj'):
        add(f'transformer.proposal_generator.{part}', 256, 256)
    add('transformer.proposal_generator.dynamic_proj.2', 256, 128)
    add('transformer.proposal_generator.dynamic_proj.0', 128, 256)
    add('transformer.decoder.norm', 256)
    for index in range(2):
        add(f'transformer.decoder.ref_point_head.layers.{index}', 256, 256)
    for layer in range(3):
        for place in (0, 2, 4, 6):
            add(f'kpt_branch.{layer}.mlp.{place}', 2 if place == 6 else 256, 256)
        for side, norms in (('encoder', 2), ('decoder', 3)):
            prefix = f'transformer.{side}.layers.{layer}'
            shapes[f'keypoint_head.{prefix}.self_attn.in_proj_weight'] = (768, 256)
            shapes[f'keypoint_head.{prefix}.self_attn.in_proj_bias'] = (768,)
            add(f'{prefix}.self_attn.out_proj', 256, 256)
            for norm in range(1, norms + 1):
                add(f'{prefix}.norm{norm}', 256)
            if side == 'decoder' and is_graph:
                add(f'{prefix}.ffn1.conv', 2 * hidden, 256, 1)
                add(f'{prefix}.ffn2', 256, hidden)
            else:
                add(f'{prefix}.linear1', hidden, 256)
                add(f'{prefix}.linear2', 256, hidden)
        cross = f'transformer.decoder.layers.{layer}.multihead_attn'
        for part, size in (('q', 512), ('k', 512), ('v', 256)):
            shapes[f'keypoint_head.{cross}.{part}_proj_weight'] = (512, size)
        shapes[f'keypoint_head.{cross}.in_proj_bias'] = (1536,)
        add(f'{cross}.out_proj', 512, 512)
        add(f'transformer.decoder.layers.{layer}.choker', 256, 512)
    return shapes


def _backbone_shapes(name: str, prefix: str) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for key, value in build(name).backbone.state_dict().items():
        key = re.sub(
            r'layers\.(\d)\.downsample',
            lambda found: f'layers.{int(found[1]) - 1}.downsample',
            key.removeprefix('net.model.'),
        )
        shapes[f'{prefix}.{key}'] = tuple(value.shape)
    if 'swin' in name:
        shapes |= {f'{prefix}.head.weight': (1000, 768), f'{prefix}.head.bias': (1000,)}
    return shapes


def published(name: str) -> dict[str, Tensor]:
    """Weights of a published checkpoint, all alike, so that their file is small."""
    return {
        key: torch.full((), 0.5).expand(shape)
        for key, shape in published_shapes(name).items()
    }


def formula_weights(table: Mapping[str, tuple[list[int], str]]) -> dict[str, Tensor]:
    """Weights that reference outputs were made with, by name, shape and type."""
    return {
        key: _whole_numbers(shape) if 'int' in kind else _formula_weight(key, shape)
        for key, (shape, kind) in table.items()
    }


def _formula_weight(key: str, shape: list[int]) -> Tensor:
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    value = np.asarray(rng.standard_normal(shape))
    if key.endswith('running_var'):
        value = 0.5 + rng.random(shape)
    elif key.endswith('running_mean'):
        value = 0.1 * value
    elif len(shape) == 1 and key.endswith('weight'):
        value = 1 + 0.1 * value
    else:
        factor = 0.05 if len(shape) <= 1 else (shape[0] / value.size) ** 0.5
        value = factor * value
    return torch.from_numpy(value).float()


def _whole_numbers(shape: list[int]) -> Tensor:
    """A count of batches, or the entry of Swin's table that two places have."""
    if not shape:
        return torch.tensor(0)
    side = round(shape[0] ** 0.5)
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    away = places[:, None] - places + side - 1
    return away[..., 0] * (2 * side - 1) + away[..., 1]
