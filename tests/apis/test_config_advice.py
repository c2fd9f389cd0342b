"""Warnings about configs that run but hardly train."""

from __future__ import annotations

import pytest

from cape_mm.apis.config_advice import warn_frozen_random_norm
from cape_mm.apis.config_loading import load_config

PRETRAINED = dict(type='Pretrained', checkpoint='torchvision://resnet50')


def make_config(backbone=None, **more):
    return dict(model=dict(backbone=dict(norm_eval=True, **(backbone or {}))), **more)


@pytest.mark.parametrize('name', ['backbone', 'support_backbone'])
@pytest.mark.parametrize('init_cfg', [None, dict(type='Kaiming', layer='Conv2d')])
def test_frozen_statistics_of_a_random_network(log_records, name, init_cfg):
    backbone = dict(norm_eval=True, norm_cfg=dict(type='BN'), init_cfg=init_cfg)
    warn_frozen_random_norm(dict(model={name: backbone}))
    (record,) = log_records
    assert record.levelname == 'WARNING'
    assert record.getMessage().startswith(f'model.{name}: norm_eval=True without')
    assert 'configs/cape_custom_scratch.py' in record.getMessage()


@pytest.mark.parametrize(
    'cfg',
    [
        make_config(dict(init_cfg=PRETRAINED)),
        make_config(dict(init_cfg=[dict(type='Normal'), PRETRAINED])),
        make_config(dict(norm_cfg=dict(type='GN', num_groups=8))),
        make_config(load_from='x.pth'),
        make_config(resume=True),
        dict(model=dict(backbone=dict(norm_eval=False))),
        dict(model=dict(backbone=dict(norm_eval=True), init_cfg=PRETRAINED)),
        dict(),
    ],
)
def test_no_warning(log_records, cfg):
    warn_frozen_random_norm(cfg)
    assert not log_records


def test_the_recipe_without_its_pretrained_weights(log_records):
    warn_frozen_random_norm(load_config('configs/cape_mp100.py'))
    assert not log_records
    offline = {'model.backbone.init_cfg': None}
    warn_frozen_random_norm(load_config('configs/cape_mp100.py', offline))
    assert len(log_records) == 1
