"""The estimator over frozen features: kept features, training, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from tiny_cape import mixed_episodes, prepare
from tiny_matching import (
    BACKBONE,
    LAYOUT,
    MATCHER,
    build_matching,
    open_gates,
)
from torch import nn

from cape_mm.errors import ConfigError
from cape_mm.models import LayoutHead
from cape_mm.models.estimators.base import InstanceFeatures
from cape_mm.models.estimators.samples import collect_targets
from cape_mm.structures import EpisodeInputs


@pytest.fixture(scope='module')
def trained() -> nn.Module:
    """A model whose head has something to say; tests leave its weights alone."""
    model = build_matching()
    open_gates(model.head)
    return model


def as_instances(inputs: EpisodeInputs, of_supports: bool) -> EpisodeInputs:
    """Every support or every query as an episode of its own."""
    shape = inputs.support_keypoints.shape
    if of_supports:
        images = inputs.support_images.flatten(0, 1)
        points = inputs.support_keypoints.flatten(0, 1)
        visible = inputs.support_visible.flatten(0, 1)
    else:
        images = inputs.query_images
        points = torch.zeros(len(images), *shape[2:])
        visible = torch.ones(len(images), shape[2], dtype=torch.bool)
    rows = torch.arange(len(images))
    hops = inputs.hops[:1].expand(len(images), -1, -1)
    return EpisodeInputs(
        images[:, None], images, points[:, None], visible[:, None], hops, rows, shape[2]
    )


@pytest.mark.parametrize('num_shots', [1, 2])
@pytest.mark.parametrize('mode', LayoutHead.modes)
def test_prediction_from_kept_features_equals_prediction(trained, mode, num_shots):
    inputs = prepare(trained, mixed_episodes(num_shots))['inputs']
    trained.test_cfg['mode'] = mode
    with torch.no_grad():
        expected = trained(inputs)
    supports = trained.encode_instances(as_instances(inputs, True), roles=('support',))
    queries = trained.encode_instances(as_instances(inputs, False), roles=('query',))
    assert supports.as_query == () and queries.as_support == ()
    features = InstanceFeatures(supports.as_support, queries.as_query)
    tokens = trained.relate_shots(supports.as_support, inputs)
    for given in (None, tokens):
        found = trained.predict_from_features(features, inputs, given)
        for one, other in zip(found, expected):
            if other is not None:
                torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_losses_from_kept_features_equal_losses(trained):
    batch = prepare(trained, mixed_episodes())
    inputs, labels = batch['inputs'], batch['data_samples']
    supports = trained.encode_instances(as_instances(inputs, True), ('support',))
    queries = trained.encode_instances(as_instances(inputs, False), ('query',))
    features = InstanceFeatures(supports.as_support, queries.as_query)
    torch.manual_seed(0)
    expected = trained.loss(inputs, labels)
    torch.manual_seed(0)
    targets = collect_targets(labels, torch.device('cpu'))
    found = trained.loss_from_features(features, inputs, targets)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('frozen_stages', ['all', 2, -1])
def test_what_is_frozen_gets_no_gradient(frozen_stages):
    backbone = BACKBONE | dict(frozen_stages=frozen_stages)
    model = build_matching(backbone=backbone)
    open_gates(model.head)
    assert model.learns_features == (frozen_stages != 'all')
    model.train()
    losses = model(**prepare(model, mixed_episodes()), mode='loss')
    sum(losses.values()).backward()
    weights = list(model.backbone.parameters())
    for weight in weights:
        assert (weight.grad is not None) == weight.requires_grad
    if frozen_stages == -1:
        assert sum(bool(weight.grad.any()) for weight in weights) > len(weights) / 2


def test_adapted_is_the_backbone_behind_its_finest_map(trained):
    names = trained.adaptable_parameters()
    assert names and all(name.startswith('backbone.') for name in names)


@pytest.mark.parametrize(
    ('overrides', 'message'),
    [
        (
            dict(head=LAYOUT | dict(level_weights=(1.0, 1.0))),
            'level_weights has 2 numbers, but the backbone gives 3 feature maps',
        ),
        (dict(mode='fast'), r"mode must be one of \('parallel', 'layout'.*'fast'"),
        (dict(head=MATCHER, mode='ar'), r"mode must be one of \('parallel',\).*'ar'"),
        (dict(head=MATCHER | dict(views=3)), 'model.head: .*views'),
        (dict(backbone=BACKBONE | dict(name='test_resnot')), 'model.backbone: .*timm'),
    ],
)
def test_what_can_not_be(overrides, message):
    with pytest.raises(ConfigError, match=message):
        build_matching(**overrides)


def test_images_that_can_not_be_turned(trained):
    with pytest.raises(ConfigError, match='must be square, got 96 x 64'):
        trained.extract_maps(torch.zeros(1, 3, 64, 96))


def test_a_level_is_there_for_every_weight():
    """Also of modules that a backbone hands out besides."""
    backbone = BACKBONE | dict(extra_modules=('layer3',))
    weights = (0.0, 1.0, 1.0, 0.5)
    model = build_matching(LAYOUT | dict(level_weights=weights), backbone=backbone)
    assert len(model.extract_maps(torch.zeros(1, 3, 64, 64))) == len(weights)
    with pytest.raises(ConfigError, match='has 3 numbers, .* 4 feature maps'):
        build_matching(backbone=backbone)
