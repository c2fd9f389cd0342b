"""Every wrong config ends with one message that names the key and the way out."""

from __future__ import annotations

import copy

import pytest
from mmpose.registry import DATA_SAMPLERS, DATASETS

from cape_mm.apis import config_checks
from cape_mm.apis.config_checks import accepted_arguments, check_config, suggest
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


def test_missing_mp100_names_place_preparation_and_demo(cfg):
    dataset = cfg['train_dataloader']['dataset']
    dataset.update(
        data_root='data/mp100', ann_file='annotations/mp100_split1_train.json'
    )
    with pytest.raises(MissingDataError) as caught:
        check_config(cfg, 'train')
    message = str(caught.value)
    assert "data root 'data/mp100' does not exist" in message
    assert '    annotations/mp100_split1_train.json' in message
    assert 'docs/mp100.md' in message
    assert '`make demo`' in message
    assert '--cfg-options train_dataloader.dataset.data_root=' in message


def test_the_shortest_option_is_named(cfg):
    cfg['train_dataloader']['dataset']['data_root'] = cfg['data_root'] = '/nowhere'
    with pytest.raises(MissingDataError, match=r'--cfg-options data_root=\.\.\.'):
        check_config(cfg, 'train')


def test_annotations_without_images(cfg, tmp_path):
    (tmp_path / 'images').rmdir()
    with pytest.raises(MissingDataError, match='no folder with images in data root'):
        check_config(cfg, 'train')
    (tmp_path / 'cat_body').mkdir()  # the official layout has no images/
    check_config(cfg, 'train')


def test_data_sets_inside_wrappers_are_checked(cfg):
    bad = copy.deepcopy(cfg['train_dataloader']['dataset'])
    bad['data_root'] = '/nowhere'
    wrapped = dict(type='RepeatDataset', times=2, dataset=dict(datasets=[bad]))
    cfg['train_dataloader']['dataset'] = wrapped
    with pytest.raises(MissingDataError, match="data root '/nowhere'"):
        check_config(cfg, 'train')


def test_unknown_dataset_key_suggests_the_right_one(cfg):
    cfg['train_dataloader']['dataset']['max_redraw'] = 3
    with pytest.raises(
        ConfigError,
        match=r"train_dataloader.dataset: CheckedDataset has no argument 'max_redraw' "
        r"\(did you mean 'max_redraws'\?\). It takes: ann_file, data_prefix",
    ):
        check_config(cfg, 'train')


def test_unknown_sampler_key_hides_what_the_runner_passes(cfg):
    cfg['val_dataloader']['sampler']['nshots'] = 3
    with pytest.raises(ConfigError, match="val_dataloader.sampler.*'num_shots'") as e:
        check_config(cfg, 'train')
    assert 'dataset' not in str(e.value).split('It takes')[1]


def test_unregistered_type(cfg):
    cfg['train_dataloader']['dataset']['type'] = 'CheckedDatset'
    with pytest.raises(ConfigError, match="not registered .did you mean 'CheckedData"):
        check_config(cfg, 'train')


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


@pytest.mark.parametrize('counts', [0, -1, 2.0, True, '4'])
def test_accumulation_must_be_a_positive_integer(cfg, counts):
    cfg['optim_wrapper']['accumulative_counts'] = counts
    with pytest.raises(ConfigError, match='must be a positive integer'):
        check_config(cfg, 'train')


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


def test_accepted_arguments_follows_kwargs_to_the_base():
    class Base:
        def __init__(self, a, *, b=1):
            pass

    class Child(Base):
        def __init__(self, c, **kwargs):
            pass

    class Open(Child):
        def __init__(self, **kwargs):
            pass

    class Anything:
        def __init__(self, *args, **kwargs):
            pass

    assert accepted_arguments(Child) == {'a', 'b', 'c'}
    assert accepted_arguments(Open) == {'a', 'b', 'c'}
    assert accepted_arguments(Anything) is None


def test_suggest_is_silent_without_a_close_name():
    assert suggest('zzz', ['ann_file']) == ''
