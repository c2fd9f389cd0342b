"""Feature maps of timm's models: the right ones, in any size, frozen as asked."""

from __future__ import annotations

import re
from copy import deepcopy

import pytest
import timm
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from tiny_cape import EMBED_DIMS, build_cape
from torch import Tensor

from cape_mm.errors import ConfigError
from cape_mm.models.backbones import TimmBackbone

PYRAMIDS = ('test_resnet', 'test_efficientnet')


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def timm_state(model: TimmBackbone) -> dict[str, Tensor]:
    """The weights under the names of a full timm model."""
    state = model.net.state_dict()
    return {k.removeprefix('model.').replace('_', '.'): v for k, v in state.items()}


def fill(net: torch.nn.Module, state: dict[str, Tensor]) -> torch.nn.Module:
    """Copy weights by :func:`timm_state` into a full model."""
    own = net.state_dict()
    for name, value in own.items():
        value.copy_(state.get(name.replace('_', '.'), value))
    return net.eval()


@pytest.mark.parametrize('name', PYRAMIDS)
def test_a_pyramid_gives_timms_own_maps(name):
    model = TimmBackbone(name, out_strides=(4, 8, 32)).eval()
    full = fill(timm.create_model(name), timm_state(model))
    images = noise(2, 3, 64, 96)
    strides = [info['reduction'] for info in full.feature_info]
    chosen = [strides.index(stride) for stride in (4, 8, 32)]
    expected = full.forward_intermediates(images, chosen, intermediates_only=True)
    maps = model(images)
    assert [tuple(m.shape[2:]) for m in maps] == [(16, 24), (8, 12), (2, 3)]
    assert [m.shape[1] for m in maps] == list(model.channels)
    for ours, theirs in zip(maps, expected):
        torch.testing.assert_close(ours, theirs)


def test_tokens_of_a_vit_are_normed_and_resampled():
    model = TimmBackbone('test_vit', out_indices=(1, 3, 5)).eval()
    full = timm.create_model('test_vit', dynamic_img_size=True)
    fill(full, timm_state(model))
    images = noise(2, 3, 64, 96)
    expected = full.forward_intermediates(
        images, [1, 3, 5], norm=True, intermediates_only=True
    )
    fine, middle, coarse = model(images)
    torch.testing.assert_close(middle, expected[1])
    torch.testing.assert_close(coarse, F.avg_pool2d(expected[2], 2))
    assert fine.shape == (2, 64, 8, 12)
    # between four tokens a cell takes 9, 3, 3 and 1 sixteenths
    near, side, far = (expected[0][..., i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    mixed = (9 * near + 3 * (side + expected[0][..., 1, 0]) + far) / 16
    torch.testing.assert_close(fine[..., 1, 1], mixed)


def test_blocks_at_even_distances():
    assert TimmBackbone('test_vit').out_indices == (1, 3, 5)
    assert TimmBackbone('test_vit', out_strides=(16,)).out_indices == (5,)


@pytest.mark.parametrize('name', ['test_vit', 'test_resnet'])
def test_maps_come_in_the_order_asked_for(name):
    """Also one of them twice, as the last block's tokens at several strides."""
    model = TimmBackbone(name, None, out_indices=(-1, 1, -1)).eval()
    single = TimmBackbone(name, None, out_indices=(1,)).eval()
    single.net.load_state_dict(model.net.state_dict(), strict=False)
    images = noise(1, 3, 64, 64)
    last, first, again = model(images)
    assert torch.equal(last, again)
    assert torch.equal(first, single(images)[0])
    assert [m.shape[1] for m in (last, first, again)] == list(model.channels)
    sides = [64 // stride for stride in model.strides]
    assert [m.shape[2] for m in (last, first, again)] == sides


@pytest.mark.parametrize('size', [(64, 64), (70, 100), (57, 40)])
@pytest.mark.parametrize('patch_size', [8, 14])
def test_a_vit_takes_any_size_and_patch(patch_size, size):
    model = TimmBackbone('test_vit', options=dict(patch_size=patch_size)).eval()
    sizes = [tuple(m.shape[2:]) for m in model(noise(1, 3, *size))]
    assert sizes == [tuple(-(-side // s) for side in size) for s in (8, 16, 32)]


def test_a_map_covers_the_whole_image():
    """Tokens lie where their patches do, also where the patch does not divide."""
    model = TimmBackbone('test_vit', out_strides=(10,), out_indices=(0,)).eval()
    seen = []
    model.net.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    ramp = torch.arange(70.0).expand(1, 3, 70, 70)
    assert model(ramp)[0].shape[2:] == (7, 7)
    (fitted,) = seen
    assert fitted.shape[2:] == (64, 64)
    expected = (torch.arange(64.0) + 0.5) * 70 / 64 - 0.5
    torch.testing.assert_close(fitted[0, 0, 0, 1:-1], expected[1:-1])


@pytest.mark.parametrize('name', PYRAMIDS)
def test_extra_modules_hand_out_what_they_return(name):
    """Behind the others, with channels and strides of their own."""
    plain = TimmBackbone(name, out_strides=(8, 32))
    module = [n for n, _ in plain.net.named_children()][-2]
    model = TimmBackbone(name, out_strides=(8, 32), extra_modules=(module,)).eval()
    plain.net.load_state_dict(model.net.state_dict())
    seen = []
    plain.eval().net.get_submodule(module).register_forward_hook(
        lambda _, inputs, output: seen.append(output)
    )
    images = noise(2, 3, 64, 96)
    *maps, extra = model(images)
    for one, other in zip(maps, plain(images), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(extra, seen[0])
    assert model.channels == (*plain.channels, extra.shape[1])
    assert model.strides == (8, 32, 64 // extra.shape[2])
    assert not any(torch.is_tensor(kept) for kept in model._extra.values())


def test_a_copy_keeps_maps_of_its_own():
    """A hook of the copy must not write where the original reads."""
    model = TimmBackbone('test_resnet', extra_modules=('layer2',)).eval()
    images = noise(1, 3, 64, 64)
    copied = deepcopy(model)
    expected = [m.clone() for m in model(images)]
    with torch.no_grad():
        for weight in copied.parameters():
            weight.mul_(0.5)
    changed, again = copied(images), model(images)
    assert not torch.equal(changed[-1], expected[-1])
    for one, other in zip(again, expected):
        assert torch.equal(one, other)


def test_swin_maps_have_channels_first():
    model = TimmBackbone(
        'swinv2_cr_tiny_ns_224', img_size=(96, 64), options=dict(depths=(1, 1, 1, 1))
    )
    maps = model.eval()(noise(1, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (192, 8, 12),
        (384, 4, 6),
        (768, 2, 3),
    ]
    with pytest.raises(ConfigError, match=r'images of 64 x 64 .*img_size=\(64,64\)'):
        model(noise(1, 3, 64, 64))


@torch.no_grad()
def test_the_last_map_of_swin_normed_and_resampled():
    """With the weights of the model's norm, cell by cell before it is resampled."""
    options = dict(name='swinv2_tiny_window8_256', out_indices=(3,), img_size=64)
    torch.manual_seed(0)
    model = TimmBackbone(**options, out_strides=(16,), final_norm=True).eval()
    model.net.model.norm.weight.mul_(3)
    images = noise(2, 3, 64, 64)
    expected = model.net.model.forward_features(images).permute(0, 3, 1, 2)
    (found,) = model(images)
    assert found.shape == (2, 768, 4, 4)
    torch.testing.assert_close(
        found, F.interpolate(expected, (4, 4), mode='bilinear', align_corners=False)
    )


def test_tables_enter_checkpoints_where_asked_for(tmp_path):
    """They are no part of the weights that it starts from."""
    tables = ('relative_coords_table', 'relative_position_index', 'attn_mask')
    options = dict(name='swinv2_tiny_window8_256', out_strides=(32,), img_size=64)
    weights = timm.create_model('swinv2_tiny_window8_256', img_size=64).state_dict()
    torch.save(weights, tmp_path / 'swin.pth')
    options |= dict(
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'swin.pth'))
    )
    plain, full = (TimmBackbone(**options, kept_buffers=kept) for kept in ((), tables))
    for model in (plain, full):
        model.init_weights()
    added = full.state_dict().keys() - plain.state_dict().keys()
    assert {key.rpartition('.')[2] for key in added} == set(tables)
    for key, value in plain.state_dict().items():
        assert torch.equal(full.state_dict()[key], value), key


def learns(model: TimmBackbone) -> dict[str, bool]:
    """Which weights get a gradient."""
    maps = model.train()(noise(2, 3, 64, 64))
    if any(m.requires_grad for m in maps):
        sum(m.square().mean() for m in maps).backward()
    return {name: p.grad is not None for name, p in model.net.named_parameters()}


@pytest.mark.parametrize('stages', [-1, 2, 3, 4, 'all'])
def test_frozen_stages_of_a_pyramid(stages):
    model = TimmBackbone('test_resnet', frozen_stages=stages, norm_eval=False)
    last = 4 if stages == 'all' else stages
    frozen = [f'layer{i}' for i in range(1, last + 1)]
    frozen += ['conv1', 'bn1', 'act1', 'maxpool'] if frozen else []
    for name, is_learnt in learns(model).items():
        assert is_learnt == (name.split('.')[0] not in frozen), name
    for name, module in list(model.net.named_modules())[1:]:
        assert module.training == (name.split('.')[0] not in frozen), name
    maps = model(torch.zeros(1, 3, 64, 64))
    assert maps[-1].requires_grad == (last < 4)


def test_frozen_blocks_of_a_vit():
    model = TimmBackbone('test_vit', frozen_stages=2)
    frozen = [name for name, is_learnt in learns(model).items() if not is_learnt]
    parts = {name.removeprefix('model.').rsplit('.', 1)[0] for name in frozen}
    assert 'model.cls_token' in frozen and 'patch_embed.proj' in parts
    assert {p.split('.')[1] for p in parts if p.startswith('blocks')} == set('012')
    assert not model.net.model.blocks[2].training and model.net.model.blocks[3].training


@pytest.mark.parametrize('norm_eval', [True, False])
def test_statistics(norm_eval):
    model = TimmBackbone('test_efficientnet', norm_eval=norm_eval).train()
    before = {k: v.clone() for k, v in model.state_dict().items() if 'running' in k}
    model(noise(2, 3, 64, 64))
    after = model.state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items()) == norm_eval


@pytest.mark.parametrize('name', ['test_vit', 'test_efficientnet'])
def test_checkpointing_changes_no_gradient(name):
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        model = TimmBackbone(name, with_cp=with_cp)
        learns(model)
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(name='efficientnet_lite'),
            r"no model 'efficientnet_lite'.*efficientnet_l",
        ),
        (dict(name='convnext_tiny.fb'), r"'convnext_tiny.fb'.*convnext_tiny.fb_in1k"),
        (dict(name='qqqqqqqq'), 'list_models'),
        (dict(name='test_resnet', out_strides=(8, 64)), r'strides \(2, 4, 8, 16, 32\)'),
        (dict(name='test_resnet', out_indices=(2, 3, 5)), '5 feature maps, 0 to 4'),
        (dict(name='test_resnet', out_indices=(2, 3)), 'equal length'),
        (
            dict(name='test_resnet', out_strides=None),
            'needs out_strides or out_indices',
        ),
        (
            dict(name='test_resnet', extra_modules=('layer9',)),
            r"no module 'layer9'. Nearest: layer\d, layer",
        ),
        (
            dict(name='test_vit', extra_modules=('model.blocks.1',)),
            r'return shapes .*maps \(N, C, H, W\) are needed',
        ),
        (dict(name='test_resnet', frozen_stages=5), "must be 'all' or .* to 4, got 5"),
        (dict(name='hrnet_w18_small', frozen_stages=1), 'only be frozen as a whole'),
        (
            dict(name='test_vit', options=dict(patch_size=0)),
            'can not build test_vit with',
        ),
        (
            dict(name='test_resnet', img_size=64),
            "unexpected keyword argument 'img_size'",
        ),
    ],
)
def test_what_can_not_be(options, message):
    with pytest.raises(ConfigError, match=f'^model.backbone: .*{message}'):
        build_cape(backbone=dict(type='TimmBackbone') | options)


def cape_options(**neck) -> dict:
    """A TimmBackbone and its neck for the tiny model."""
    return dict(
        backbone=dict(
            type='TimmBackbone',
            name='test_efficientnet',
            init_cfg=dict(type='Pretrained', checkpoint='timm'),
        ),
        neck=dict(type='FPN', out_channels=EMBED_DIMS, num_outs=3) | neck,
    )


def test_the_neck_must_fit():
    build_cape(**cape_options(in_channels=[32, 48, 64]))
    message = re.escape('in_channels=[16, 32, 64], but the backbone gives [32, 48, 64]')
    with pytest.raises(ConfigError, match=f'^model.neck: {message}'):
        build_cape(**cape_options(in_channels=[16, 32, 64]))


@pytest.mark.parametrize(
    ('changed', 'is_said'), [(dict(), False), (dict(mean=(127.5,) * 3), True)]
)
def test_other_normalisation_than_the_weights_is_said(changed, is_said, monkeypatch):
    said = []
    monkeypatch.setattr(
        MMLogger, 'callHandlers', lambda self, record: said.append(record.getMessage())
    )
    MMLogger.get_current_instance()
    preprocessor = dict(type='EpisodeDataPreprocessor') | changed
    options = cape_options(in_channels=[32, 48, 64])
    build_cape(data_preprocessor=preprocessor, **options)
    about = [text for text in said if 'mean' in text]
    assert len(about) == is_said
    if is_said:
        assert re.search(r'127\.5.*123\.675, 116\.28, 103\.53', about[0])
