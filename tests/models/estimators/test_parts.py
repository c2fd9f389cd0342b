"""Wrong values of a model's config: one message that names the part and the key."""

from __future__ import annotations

import re

import pytest
import torch
from mmpose.registry import MODELS
from tiny_cape import build_cape, tiny_backbone
from torch import nn

from cape_mm.errors import ConfigError
from cape_mm.models.encoders import PoseGraphEncoder
from cape_mm.models.estimators.parts import extract_maps

HEAD, PREPROCESSOR = 'model.head: ', 'model.data_preprocessor: '
NECK = dict(type='FPN', in_channels=[16, 32, 64], out_channels=8, num_outs=3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_heads=5), 'embed_dims 16 is no multiple of num_heads 5'),
        (dict(num_heads=0), 'num_heads must be a whole number, at least 1, got 0'),
        (dict(num_layers=0), 'num_layers must be a whole number, at least 1, got 0'),
        (dict(max_hops=-3), 'max_hops must be a whole number, at least 0, got -3'),
        (dict(dropout=2), 'dropout must be a number from 0 to 1, got 2'),
        (dict(random_order_prob=2), 'random_order_prob must be a number from 0 to 1'),
        (dict(test_order='up'), "test_order must be one of ('skeleton', 'random')"),
        (dict(test_decoding='no'), "test_decoding must be one of ('steps', 'passes')"),
        (dict(heatmap_sigma=0), 'heatmap_sigma must be a number above 0, got 0'),
        (dict(window_radius=-1), 'window_radius must be a whole number, at least 0'),
        (dict(prefix_mix=dict(foo=1)), "prefix_mix has no option 'foo'. It takes: tru"),
        (dict(prefix_mix=dict(truth_prob=7)), 'prefix_mix.truth_prob must be'),
        (dict(prefix_mix=dict(drop_prob=-0.1)), 'prefix_mix.drop_prob must be'),
        (dict(prefix_mix=dict(noise_std=-1)), 'prefix_mix.noise_std must be'),
        (dict(loss_weights=dict(visibility=-1)), 'loss_weights.visibility must be'),
        (
            dict(loss_weights=dict(heat=1)),
            "loss_weights has no option 'heat'. It takes",
        ),
        (dict(num_layer=1), "got an unexpected keyword argument 'num_layer'"),
    ],
)
def test_values_of_the_head(options, message):
    with pytest.raises(ConfigError, match=re.escape(HEAD) + f'.*{re.escape(message)}'):
        build_cape(head=options)


@pytest.mark.parametrize(
    ('part', 'options', 'message'),
    [
        ('joint_encoder', dict(layers=2), ": JointEncoder .* argument 'layers'"),
        ('joint_encoder', dict(num_layers=-1), ': num_layers must be a whole number'),
        (
            'joint_encoder',
            dict(num_heads=3),
            ': embed_dims 16 is no multiple of num_he',
        ),
        ('joint_encoder', dict(dropout=-1), ': dropout must be'),
        ('pose_graph_encoder', dict(max_hops=1.5), ': max_hops must be a whole number'),
        (
            'pose_graph_encoder',
            dict(num_heads=-2),
            ': num_heads must be a whole number',
        ),
        ('pose_graph_encoder', dict(num_layers=-1), ': num_layers must be'),
        ('pose_graph_encoder', dict(dropout=2), ': dropout must be'),
        ('pose_graph_encoder', 3, ': cfg should be a dict'),
        ('keypoint_tokens', dict(num_scales=1), ': num_scales must be'),
        ('keypoint_tokens', dict(sigma=0), ': sigma must be a number above 0'),
        ('embed_dims', 18, ' must be a multiple of 4, got 18'),
        ('embed_dims', 0, ' must be a whole number, at least 4, got 0'),
        ('neck', NECK, ': out_channels=8, but model.embed_dims=16: they must be equal'),
    ],
)
def test_values_of_the_other_parts(part, options, message):
    with pytest.raises(ConfigError, match=f'^model.{part}{message}'):
        build_cape(**{part: options})


@pytest.mark.parametrize(
    ('group', 'options', 'message'),
    [
        ('test_cfg', dict(flip_test=True), "test_cfg has no option 'flip_test'"),
        ('test_cfg', dict(modus='ar'), 'It takes: mode, cuda_graph'),
        ('test_cfg', dict(cuda_graph='yes'), r"cuda_graph must be .*, got 'yes'"),
        ('train_cfg', dict(cuda_grap=True), "train_cfg has no option 'cuda_grap'"),
        ('train_cfg', dict(cuda_graph=None), 'train_cfg.cuda_graph must be'),
    ],
)
def test_a_mistyped_choice_is_refused_when_the_model_is_built(group, options, message):
    with pytest.raises(ConfigError, match=message):
        build_cape(**{group: options})


def test_choices_that_are_not_made_are_the_defaults():
    model = build_cape(test_cfg=dict(cuda_graph=True))
    assert model.test_cfg == dict(mode='ar', cuda_graph=True)
    assert model.train_cfg == dict(cuda_graph=False)


def test_an_encoder_of_another_type(monkeypatch):
    class Twice(PoseGraphEncoder):
        def forward(self, *args):
            return 2 * super().forward(*args)

    monkeypatch.setitem(MODELS._module_dict, 'Twice', Twice)
    model = build_cape(pose_graph_encoder=dict(type='Twice', num_heads=2))
    assert isinstance(model.pose_graph_encoder, Twice)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(std=(1, 0, 1)), 'every std must be a number above 0, got 0'),
        (dict(mean=(1, 'a', 1)), "every mean must be a number, got 'a'"),
        (dict(mean=(1, 1)), 'mean must be a list of 3 numbers'),
    ],
)
def test_values_of_the_preprocessor(options, message):
    config = dict(type='EpisodeDataPreprocessor') | options
    with pytest.raises(ConfigError, match=PREPROCESSOR + message):
        build_cape(data_preprocessor=config)


@pytest.mark.parametrize(
    ('part', 'config', 'message'),
    [
        (
            'backbone',
            tiny_backbone() | dict(norm_cfg=dict(type='BN', foo=1)),
            ".*BatchNorm.* got an unexpected keyword argument 'foo'",
        ),
        ('backbone', dict(type='ResNet'), "ResNet missing 1 required .*'depth'"),
        ('support_backbone', dict(type='ResNet'), 'ResNet missing 1 required'),
    ],
)
def test_arguments_of_parts_that_are_not_ours(part, config, message):
    with pytest.raises(ConfigError, match=rf'^model\.{part}: {message}'):
        build_cape(**{part: config})


def test_a_defect_keeps_its_traceback(monkeypatch):
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            len(3)

    monkeypatch.setitem(MODELS._module_dict, 'Broken', Broken)
    with pytest.raises(TypeError, match='has no len'):
        build_cape(backbone=dict(type='Broken'))


def test_a_neck_of_its_own_for_the_support():
    options = dict(support_backbone=tiny_backbone())
    with pytest.raises(ConfigError, match=r'^model\.support_neck: out_channels=8'):
        build_cape(**options, support_neck=NECK)
    assert build_cape(**options).support_neck.out_channels == 16


@torch.no_grad()
def test_a_cpu_takes_few_images_at_a_time(monkeypatch):
    """With the same maps; many threads take more of them."""
    seen = []

    def extract(images):
        seen.append(len(images))
        return images[:, :1], 2 * images[..., 0]

    images = torch.rand(5, 3, 4, 4)
    for threads, expected in ((1, [2, 2, 1]), (4, [2, 2, 1]), (16, [5])):
        monkeypatch.setattr(torch, 'get_num_threads', lambda n=threads: n)
        seen.clear()
        fine, coarse = extract_maps(extract, images)
        assert seen == expected
        assert torch.equal(fine, images[:, :1])
        assert torch.equal(coarse, 2 * images[..., 0])
    seen.clear()
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    with torch.enable_grad():  # a batch in training, which may share statistics
        extract_maps(extract, images)
    assert seen == [5]
