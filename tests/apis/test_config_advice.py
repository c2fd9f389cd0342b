"""Warnings about configs that run, but do not do what they seem to."""

from __future__ import annotations

import pytest

from cape_mm.apis.config_advice import warn_about_templates, warn_frozen_random_norm
from cape_mm.apis.config_checks import check_config
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


@pytest.mark.parametrize('tokens', [None, dict(num_scales=2), dict(look_at_image=True)])
def test_template_beside_a_model_that_looks_at_its_picture(log_records, tokens):
    loaders = dict(
        val_dataloader=dict(dataset=dict(template_file=None)),
        test_dataloader=dict(dataset=dict(template_file='templates.json')),
    )
    cfg = dict(model=dict(keypoint_tokens=tokens), **loaders)
    warn_about_templates(cfg, loaders)
    (record,) = log_records
    assert record.levelname == 'WARNING'
    text = record.getMessage()
    assert text.startswith('test_dataloader.dataset.template_file: the model looks')
    assert 'model.keypoint_tokens.look_at_image=False' in text
    cfg['model']['keypoint_tokens'] = dict(look_at_image=False)
    warn_about_templates(cfg, loaders)
    warn_about_templates(dict(model=None), [])
    assert len(log_records) == 1


def test_check_of_a_config_warns_about_templates(log_records, tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'a.json').touch()
    options = dict(data_root=str(tmp_path), test_ann_file='a.json')
    cfg = load_config('configs/cape_mp100_template.py', options)
    check_config(cfg, 'test')
    assert not [r for r in log_records if r.levelname == 'WARNING']
    cfg.model.keypoint_tokens.look_at_image = True
    check_config(cfg, 'test')
    (record,) = [r for r in log_records if r.levelname == 'WARNING']
    assert 'template' in record.getMessage()
