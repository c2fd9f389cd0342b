"""An override reaches what it names, or is refused."""

from __future__ import annotations

import pytest

from cape_mm.apis.config_loading import load_config
from cape_mm.apis.config_options import parse_cfg_options
from cape_mm.errors import ConfigError


def test_parse_cfg_options():
    options = parse_cfg_options(['a.b=3', 'c=[1,2]', 'd=x=y', 'e=None', 'f=True'])
    assert options == {'a.b': 3, 'c': [1, 2], 'd': 'x=y', 'e': None, 'f': True}
    assert parse_cfg_options(None) == {}
    with pytest.raises(ConfigError, match="expected key=value, got 'a.b'"):
        parse_cfg_options(['a.b'])


def test_data_root_and_ann_files_reach_the_data_sets(toy_config):
    cfg = load_config(toy_config, dict(data_root='/x', train_ann_file='other.json'))
    for name in ('train', 'val', 'test'):
        assert cfg[f'{name}_dataloader'].dataset.data_root == '/x'
    assert cfg.train_dataloader.dataset.ann_file == 'other.json'
    assert cfg.val_dataloader.dataset.ann_file == 'val.json'


def test_the_more_precise_override_wins(toy_config):
    options = {'data_root': '/x', 'val_dataloader.dataset.data_root': '/y'}
    cfg = load_config(toy_config, options)
    assert cfg.val_dataloader.dataset.data_root == '/y'
    assert cfg.test_dataloader.dataset.data_root == '/x'


def test_unknown_top_level_override(toy_config):
    with pytest.raises(ConfigError, match=r"key 'data_rot' .did you mean 'data_root'"):
        load_config(toy_config, {'data_rot': '/x'})
    assert load_config(toy_config, {'load_from': 'x.pth'}).load_from == 'x.pth'


def append(config, text):
    config.write_text(config.read_text() + text)


def test_override_of_a_mere_variable(toy_config):
    append(toy_config, "width = 7\nmodel['width'] = width\n")
    with pytest.raises(ConfigError) as caught:
        load_config(toy_config, {'width': 8})
    message = str(caught.value)
    assert "'width' is a variable of " in message
    assert 'MMEngine does not recompute' in message
    assert 'Set the keys that use it' in message


def test_ann_file_without_a_variable_reaches_the_data_set(toy_config):
    cfg = load_config(toy_config, {'val_ann_file': 'other.json'})
    assert cfg.val_dataloader.dataset.ann_file == 'other.json'
    assert cfg.train_dataloader.dataset.ann_file == 'train.json'


def test_child_config_whose_data_root_no_loader_uses(toy_config, log_records):
    load_config(toy_config)
    assert not log_records
    child = toy_config.with_name('child.py')
    child.write_text("_base_ = './toy.py'\ndata_root = '/mine'\n")
    load_config(child, {'val_dataloader.dataset.data_root': '/y'})
    messages = [record.getMessage() for record in log_records]
    assert [m.split()[0] for m in messages] == ['train_dataloader', 'test_dataloader']
    assert all(record.levelname == 'WARNING' for record in log_records)
    used = str(toy_config.parent / 'data')
    assert (
        f"reads from {used!r}, not from the config's data_root '/mine'" in messages[0]
    )
    assert 'set train_dataloader.dataset.data_root in the config' in messages[0]

    log_records.clear()
    load_config(child, {'data_root': '/mine'})  # reaches all of them
    assert not log_records
