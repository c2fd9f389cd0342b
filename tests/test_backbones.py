"""Backbones by config: each learns, and reads the weights that its config names."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
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
from torch import Tensor
from torchvision.models import SwinTransformer

from cape_mm.errors import CheckpointError, ConfigError
from cape_mm.models.backbones import SwinBackbone, TorchvisionViT
from cape_mm.models.backbones.torchvision_vit import resize_positions
from cape_mm.models.estimators.pretrained import expect_pretrained

WEIGHTS = {
    'backbones/cape_mp100_resnet101': 'torchvision://resnet101',
    'backbones/cape_mp100_hrnet_w32': 'hrnet_w32-36af842e.pth',
    'backbones/cape_mp100_swin_t': 'swin_tiny_patch4_window7_224.pth',
    'backbones/cape_mp100_vit_s': 'deit_small_patch16_224-cd65a155.pth',
}
IDLE_FUSION = {
    f'backbone.stage4.2.fuse_layers.0.{branch}.{name}'
    for branch in (1, 2, 3)
    for name in ('0.weight', '1.weight', '1.bias')
}
"""HRNet's stride-4 map, which the neck does not use."""
IDLE = {'backbones/cape_mp100_hrnet_w32': IDLE_FUSION}
FRESH = {'backbones/cape_mp100_vit_s': ('backbone.upsample.',)}
PARAMETERS = dict(resnet101=42.5, hrnet_w32=29.3, swin_t=27.5, vit_s=22.0)
"""Millions of parameters of the backbones, without a classifier."""


def test_every_backbone_config_is_tested():
    assert find_configs('backbones') == sorted(WEIGHTS)


def check_maps(model: BaseModule) -> None:
    """The neck's maps have strides 8, 16 and 32, also where an image is wide."""
    model.eval()
    with torch.no_grad():
        maps = model.neck(model.backbone(torch.zeros(1, 3, 64, 96)))
    sizes = [(1, 256, 8, 12), (1, 256, 4, 6), (1, 256, 2, 3)]
    assert [tuple(m.shape) for m in maps] == sizes


@pytest.mark.parametrize('name', WEIGHTS)
def test_backbone_learns_and_predicts(name):
    cfg = read_config(name)
    model = build_model(cfg)
    check_learning_rates(model, cfg, FRESH.get(name, ()))
    check_maps(model)
    check_frozen_statistics(model)
    check_step(cfg, model, IDLE.get(name, set()))
    millions = sum(p.numel() for p in model.backbone.parameters()) / 1e6
    expected = PARAMETERS[name.removeprefix('backbones/cape_mp100_')]
    assert millions == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize('name', WEIGHTS)
def test_backbone_starts_from_public_weights(name):
    init_cfg = Config.fromfile(CONFIG_DIR / f'{name}.py').model.backbone.init_cfg
    assert init_cfg.type == 'Pretrained'
    assert '://' in init_cfg.checkpoint
    assert init_cfg.checkpoint.endswith(WEIGHTS[name])


def tiny_vit(**kwargs) -> TorchvisionViT:
    sizes = dict(embed_dims=8, num_layers=2, num_heads=2, pretrain_size=64)
    return TorchvisionViT(**sizes | kwargs)


def deit_weights(seed: int = 0) -> dict[str, Tensor]:
    """Random weights of the tiny ViT, named and shaped as in DeiT's files."""
    rng = torch.Generator().manual_seed(seed)
    shapes = {
        'cls_token': (1, 1, 8),
        'pos_embed': (1, 17, 8),
        'patch_embed.proj.weight': (8, 3, 16, 16),
        'patch_embed.proj.bias': (8,),
        'norm.weight': (8,),
        'norm.bias': (8,),
        'head.weight': (1000, 8),
        'head.bias': (1000,),
    }
    for i in range(2):
        for layer, rows, columns in (
            ('attn.qkv', 24, 8),
            ('attn.proj', 8, 8),
            ('mlp.fc1', 32, 8),
            ('mlp.fc2', 8, 32),
        ):
            shapes[f'blocks.{i}.{layer}.weight'] = (rows, columns)
            shapes[f'blocks.{i}.{layer}.bias'] = (rows,)
        for layer in ('norm1.weight', 'norm1.bias', 'norm2.weight', 'norm2.bias'):
            shapes[f'blocks.{i}.{layer}'] = (8,)
    return {k: 0.5 * torch.randn(s, generator=rng) for k, s in shapes.items()}


def deit_tokens(weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """Patch tokens by the equations of the ViT paper, (N, 16, 8); 2 heads of 4."""

    def linear(name: str, tokens: Tensor) -> Tensor:
        return tokens @ weights[f'{name}.weight'].T + weights[f'{name}.bias']

    def norm(name: str, tokens: Tensor) -> Tensor:
        scale, shift = weights[f'{name}.weight'], weights[f'{name}.bias']
        return F.layer_norm(tokens, (8,), scale, shift, eps=1e-6)

    patches = images.unfold(2, 16, 16).unfold(3, 16, 16)  # (N, 3, 4, 4, 16, 16)
    patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(len(images), 16, -1)
    kernel = weights['patch_embed.proj.weight'].flatten(1)
    tokens = patches @ kernel.T + weights['patch_embed.proj.bias']
    first = weights['cls_token'].expand(len(images), 1, 8)
    tokens = torch.cat([first, tokens], dim=1) + weights['pos_embed']
    for i in range(2):
        qkv = linear(f'blocks.{i}.attn.qkv', norm(f'blocks.{i}.norm1', tokens))
        query, key, value = qkv.unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        attention = (query @ key.transpose(-1, -2) / 4**0.5).softmax(dim=-1)
        mixed = (attention @ value).transpose(1, 2).flatten(2)
        tokens = tokens + linear(f'blocks.{i}.attn.proj', mixed)
        hidden = linear(f'blocks.{i}.mlp.fc1', norm(f'blocks.{i}.norm2', tokens))
        tokens = tokens + linear(f'blocks.{i}.mlp.fc2', F.gelu(hidden))
    return norm('norm', tokens)[:, 1:]


def test_vit_with_a_deit_file_computes_what_deit_computes(tmp_path):
    weights, path = deit_weights(), tmp_path / 'deit.pth'
    torch.save(dict(model=weights), path)
    model = tiny_vit(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    with expect_pretrained(model):
        model.init_weights()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    tokens = model(images)[1].flatten(2).transpose(1, 2)
    torch.testing.assert_close(
        tokens, deit_tokens(weights, images), rtol=1e-4, atol=1e-5
    )


def test_vit_reads_its_own_format_and_another_grid(tmp_path):
    """A file for 4 x 4 patches in a model that stores 2 x 2."""
    path, source = tmp_path / 'vit.pth', tiny_vit()
    torch.save(source.vit.state_dict(), path)
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    model = tiny_vit(pretrain_size=32, init_cfg=init_cfg)
    model.init_weights()
    stored, own = (m.vit.encoder.pos_embedding for m in (source, model))
    assert own.shape == (1, 5, 8)
    torch.testing.assert_close(own[:, 0], stored[:, 0])
    torch.testing.assert_close(
        model.vit.encoder.layers.encoder_layer_1.mlp[3].weight,
        source.vit.encoder.layers.encoder_layer_1.mlp[3].weight,
    )


def test_vit_refuses_a_file_of_something_else(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(dict(model={'layer1.weight': torch.ones(2, 2)}), path)
    model = tiny_vit(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    with pytest.raises(CheckpointError, match='do not fit'), expect_pretrained(model):
        model.init_weights()
    torch.save(torch.ones(2), path)
    with pytest.raises(CheckpointError, match='not weights'), expect_pretrained(model):
        model.init_weights()


def test_vit_pyramid_is_deconvolution_identity_and_pooling():
    model = tiny_vit()
    fine, middle, coarse = model(torch.randn(1, 3, 64, 96))
    assert (fine.shape, middle.shape) == ((1, 4, 8, 12), (1, 8, 4, 6))
    torch.testing.assert_close(fine, model.upsample(middle))
    expected = middle.unflatten(3, (3, 2)).unflatten(2, (2, 2)).amax(dim=(3, 5))
    torch.testing.assert_close(coarse, expected)


def test_vit_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ConfigError, match=r'multiples of 32.*\(64, 80\)'):
        tiny_vit()(torch.zeros(1, 3, 64, 80))


def test_vit_checkpointing_changes_no_gradient():
    images = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = tiny_vit()
    gradients = []
    for model.with_cp in (False, True):
        model.zero_grad()
        sum(m.square().sum() for m in model(images)).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_position_embeddings_of_another_grid():
    rows = torch.arange(4.0).repeat_interleave(4)  # the row that a patch lies in
    grid = torch.stack([torch.full((16,), 3.0), rows], dim=-1)
    stored = torch.cat([torch.full((1, 1, 2), 9.0), grid[None]], dim=1)
    assert resize_positions(stored, 4, 4) is stored
    resized = resize_positions(stored, 8, 6)
    assert (resized[:, 0] == 9).all()  # the class token has no place
    constant, varying = resized[0, 1:].unflatten(0, (8, 6)).unbind(dim=-1)
    torch.testing.assert_close(constant, torch.full((8, 6), 3.0))
    torch.testing.assert_close(varying, varying[:, :1].expand(8, 6))
    assert (varying[:, 0].diff() > 0).all()
    torch.testing.assert_close(varying[3:5, 0].mean(), torch.tensor(1.5))


def authors_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of torchvision's Swin under the names that the authors' files use."""
    renamed = {}
    for name, value in weights.items():
        if not name.startswith('features.'):
            renamed[name] = value
            continue
        stage, rest = name.removeprefix('features.').split('.', 1)
        if stage == '0':
            rest = rest.replace('0.', 'proj.', 1).replace('2.', 'norm.', 1)
            renamed[f'patch_embed.{rest}'] = value
            continue
        layer, is_merging = divmod(int(stage) - 1, 2)
        rest = rest.replace('mlp.0.', 'mlp.fc1.').replace('mlp.3.', 'mlp.fc2.')
        part = 'downsample' if is_merging else 'blocks'
        renamed[f'layers.{layer}.{part}.{rest}'] = value
    return {k: v for k, v in renamed.items() if 'position_index' not in k}


def test_swin_reads_the_authors_file(tmp_path):
    """MMPose's network then computes what torchvision's computes."""
    torch.manual_seed(0)
    heads, depths = [1, 1, 2, 2], [2, 1, 1, 1]
    theirs = SwinTransformer([4, 4], 8, depths, heads, [4, 4], num_classes=3).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path / 'swin.pth'
    torch.save(dict(model=authors_names(theirs.state_dict())), path)
    sizes = dict(embed_dims=8, depths=depths, num_heads=heads, window_size=4)
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    ours = SwinBackbone(init_cfg, out_indices=(2, 3), **sizes).eval()
    with expect_pretrained(ours):
        ours.init_weights()
    images = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        expected = theirs.features[:6](images)
        norm = ours.swin.norm2  # not in the authors' file
        torch.testing.assert_close(
            ours(images)[0], norm(expected).permute(0, 3, 1, 2), rtol=1e-4, atol=1e-4
        )
