"""Every wrong config ends with one message that names the key and the way out."""

from __future__ import annotations

import copy

import pytest
from mmengine.config import Config
from mmpose.registry import DATA_SAMPLERS, DATASETS

from cape_mm.apis import config_checks
from cape_mm.apis.config_checks import (
    check_config,
    check_training_graph,
    explain_build_errors,
    warn_frozen_random_norm,
)
from cape_mm.apis.config_loading import load_config
from cape_mm.errors import CheckpointError, ConfigError, MissingDataError


class CheckedDataset:
    def __init__(self, ann_file, data_root='', data_prefix=None, max_redraws=10):
        pass


class CheckedSampler:
    def __init__(self, dataset, num_shots=1, episodes_per_epoch=8, seed=None):
        pass


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for registry, cls in ((DATASETS, CheckedDataset), (DATA_SAMPLERS, CheckedSampler)):
        monkeypatch.setitem(registry._module_dict, cls.__name__, cls)


@pytest.fixture
def cfg(tmp_path):
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'images').mkdir()
    for name in ('train', 'val'):
        (tmp_path / 'annotations' / f'{name}.json').write_text('{}')

    def loader(name):
        dataset = dict(
            type='CheckedDataset',
            data_root=str(tmp_path),
            ann_file=f'annotations/{name}.json',
            data_prefix=dict(img='images/'),
        )
        sampler = dict(type='CheckedSampler', episodes_per_epoch=8)
        return dict(batch_size=2, dataset=dataset, sampler=sampler)

    return dict(
        train_dataloader=loader('train'),
        val_dataloader=loader('val'),
        test_dataloader=loader('test'),
        optim_wrapper=dict(accumulative_counts=4),
    )


def test_good_config_passes_and_only_data_in_use_must_exist(cfg):
    check_config(cfg, 'train')
    with pytest.raises(MissingDataError, match=r'test_dataloader: annotation file'):
        check_config(cfg, 'test')


def test_advice_is_for_training(cfg, monkeypatch):
    asked = []
    monkeypatch.setattr(config_checks, 'warn_frozen_random_norm', asked.append)
    check_config(cfg, 'train')
    assert asked == [cfg]
    cfg['test_dataloader'] = cfg['val_dataloader']
    check_config(cfg, 'test')
    assert asked == [cfg]


def test_missing_annotation_file(cfg, tmp_path):
    cfg['val_dataloader']['dataset']['ann_file'] = 'annotations/nope.json'
    with pytest.raises(MissingDataError) as caught:
        check_config(cfg, 'train')
    message = str(caught.value)
    assert f"annotation file '{tmp_path}/annotations/nope.json' does not" in message
    assert 'images/<folder>/<image>.jpg' in message
    assert '`make demo`' in message
    assert 'mp100' not in message


def test_the_shortest_option_is_named(cfg):
    cfg['train_dataloader']['dataset']['data_root'] = cfg['data_root'] = '/nowhere'
    with pytest.raises(MissingDataError, match=r'--cfg-options data_root=\.\.\.'):
        check_config(cfg, 'train')


def test_data_sets_inside_wrappers_are_checked(cfg):
    bad = copy.deepcopy(cfg['train_dataloader']['dataset'])
    bad['data_root'] = '/nowhere'
    wrapped = dict(type='RepeatDataset', times=2, dataset=dict(datasets=[bad]))
    cfg['train_dataloader']['dataset'] = wrapped
    with pytest.raises(MissingDataError, match="data root '/nowhere'"):
        check_config(cfg, 'train')


@pytest.mark.parametrize(
    ('registry', 'part', 'message'),
    [
        (
            DATASETS,
            dict(type='CheckedDataset', ann_file='a', max_redraw=3),
            r"^loaders\.1\.part\.max_redraw: .*unexpected keyword .* 'max_redraw'",
        ),
        (
            DATASETS,
            dict(type='CheckedDatset'),
            r"^loaders\.1\.part\.type: type 'CheckedDatset' is not in the mmpose",
        ),
        (
            DATASETS,
            dict(type='CheckedDataset'),
            r"^loaders\.1\.part: .*missing 1 required positional argument: 'ann_file'",
        ),
    ],
)
def test_what_can_not_be_built_names_its_key(registry, part, message):
    cfg = Config(dict(loaders=[dict(), dict(part=part)]))
    with pytest.raises(ConfigError, match=message), explain_build_errors(cfg):
        registry.build(cfg.loaders[1].part)


class Picky:
    """Refuses its argument in one way or another."""

    def __init__(self, size=1):
        if size < 0:
            raise ValueError(f'size is negative: {size}')
        assert size, 'no size'


@pytest.mark.parametrize(('size', 'reason'), [(-2, 'size is negative'), (0, 'no size')])
def test_a_refused_value_names_the_part_that_has_it(size, reason):
    if 'Picky' not in DATASETS:
        DATASETS.register_module(module=Picky)
    cfg = Config(dict(steps=[dict(type='Picky'), dict(type='Picky', size=size)]))
    refused = pytest.raises(ConfigError, match=rf'^steps\.1: {reason}')
    with refused, explain_build_errors(cfg):
        for step in cfg.steps:
            DATASETS.build(step)


def test_defects_keep_their_traceback():
    class Broken:
        def __init__(self):
            dict()['x']

    for work in (lambda: DATASETS.build(dict(type=Broken)), lambda: len(3)):
        with pytest.raises((KeyError, TypeError)), explain_build_errors({}):
            work()


def test_ragged_batches(cfg, monkeypatch):
    loader = cfg['train_dataloader']
    loader['sampler']['episodes_per_epoch'] = 9
    with pytest.raises(
        ConfigError, match='=9 is not divisible .*_epoch=8 or 10, or drop_la'
    ):
        check_config(cfg, 'train')
    loader['drop_last'] = True
    check_config(cfg, 'train')
    loader.update(drop_last=False, sampler=dict(loader['sampler']))
    loader['sampler']['episodes_per_epoch'] = 10
    check_config(cfg, 'train')
    monkeypatch.setenv('WORLD_SIZE', '2')
    check_config(cfg, 'train')  # the variable counts only under its launcher
    cfg['launcher'] = 'pytorch'
    with pytest.raises(
        ConfigError, match='processes = 2 x 2.*episodes_per_epoch=8 or 12'
    ):
        check_config(cfg, 'train')


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        *(
            ('optim_wrapper.accumulative_counts', value)
            for value in (0, -1, 2.0, True, '4')
        ),
        ('train_cfg.max_epochs', 0),
        ('train_cfg.max_iters', -5),
        ('train_cfg.val_interval', 0),
        ('train_dataloader.batch_size', 0),
        ('val_dataloader.batch_size', -1),
        ('val_dataloader.num_workers', -1),
        ('optim_wrapper.optimizer.lr', -0.1),
        ('optim_wrapper.optimizer.lr', 'fast'),
        ('optim_wrapper.clip_grad.max_norm', -1),
        ('randomness.seed', -1),
        ('auto_scale_lr.base_batch_size', 0),
    ],
)
def test_numbers_that_mean_nothing(cfg, key, value):
    cfg = Config(cfg)
    cfg.merge_from_dict({key: value})
    with pytest.raises(ConfigError, match=f'^{key} must be .* got {value!r}$'):
        check_config(cfg, 'train')
    if not key.startswith('val'):
        cfg.test_dataloader = cfg.val_dataloader
        check_config(cfg, 'test')  # they are of no matter there


def test_load_from_must_exist_unless_it_is_an_address(cfg):
    cfg['load_from'] = 'torchvision://resnet50'
    check_config(cfg, 'train')
    cfg['load_from'] = 'nope.pth'
    with pytest.raises(CheckpointError, match='nope.pth does not exist'):
        check_config(cfg, 'train')


def test_persistent_workers_need_workers(cfg):
    cfg['val_dataloader'].update(num_workers=0, persistent_workers=True)
    with pytest.raises(
        ConfigError, match='val_dataloader: num_workers=0 needs persist'
    ):
        check_config(cfg, 'train')


def test_config_without_loader(cfg):
    cfg['test_dataloader'] = None
    with pytest.raises(ConfigError, match='no test_dataloader: nothing to test'):
        check_config(cfg, 'test')


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


GRAPH = dict(cuda_graph=True)


def config(train_cfg=GRAPH, with_cp=False, **others):
    backbone = dict(type='ResNet', with_cp=with_cp)
    return dict(model=dict(backbone=backbone, train_cfg=train_cfg), **others)


@pytest.mark.parametrize(
    ('cfg', 'place'),
    [
        (config(with_cp=True), r'\(model\.backbone\.with_cp\)'),
        (
            config(activation_checkpointing=['backbone']),
            r'\(activation_checkpointing\)',
        ),
    ],
)
def test_together_they_are_refused(cfg, place):
    with pytest.raises(ConfigError, match=f'train_cfg.cuda_graph=True does .*{place}'):
        check_training_graph(cfg)


@pytest.mark.parametrize(
    'cfg',
    [
        {},
        config(),
        config(None, with_cp=True),
        config(dict(cuda_graph=False), True, activation_checkpointing=['backbone']),
        config(3, with_cp=True),  # that is not a dict is said by the model
        config(activation_checkpointing=[]),
    ],
)
def test_one_of_them_is_fine(cfg):
    check_training_graph(cfg)
