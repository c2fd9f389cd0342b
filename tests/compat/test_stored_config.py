"""Configs inside checkpoints: read back as they were, and never run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from predict_cases import make_config, write_checkpoint

from cape_mm.compat.stored_config import (
    KEY,
    read_stored_config,
    store_config,
    without_initialisation,
)
from cape_mm.engine.hooks import AtomicCheckpointHook
from cape_mm.errors import CheckpointError
from cape_mm.inference import CapeInferencer

REPO = Path(__file__).resolve().parents[2]


def stored(cfg) -> dict:
    """The meta data of a checkpoint that holds the config, and nothing else of it."""
    meta = {}
    store_config(meta, cfg)
    return meta


def read(**meta) -> Config | None:
    return read_stored_config(meta, 'checkpoint x.pth')


@pytest.mark.parametrize(
    'name', sorted(str(p.relative_to(REPO)) for p in REPO.glob('configs/[!_]*/*.py'))
    + sorted(str(p.relative_to(REPO)) for p in REPO.glob('configs/*.py'))
)  # fmt: skip
def test_every_config_is_read_back_as_it_was(name):
    cfg = Config.fromfile(REPO / name)
    for meta in (dict(cfg=cfg.pretty_text), stored(cfg)):
        found = read(**meta)
        assert found.model == without_initialisation(cfg.model)
        pipeline = found.test_dataloader.dataset.pipeline
        assert pipeline == cfg.test_dataloader.dataset.pipeline


def test_plain_data_come_before_the_text_and_no_config_is_none():
    cfg = make_config()
    assert read(**stored(cfg), cfg='no Python (').model == cfg.model
    assert read() is None is read_stored_config(None, 'x')


def test_a_training_stores_it_where_it_is_plain(tmp_path):
    meta, cfg = dict(epoch=1), make_config()
    hook = AtomicCheckpointHook()
    hook.before_save_checkpoint(SimpleNamespace(cfg=cfg), dict(meta=meta))
    torch.save(dict(meta=meta), tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)['meta']
    assert read(**loaded).model == cfg.model
    for other in (dict(model=dict(type=CapeInferencer)), dict(test_dataloader=hook)):
        assert not stored(other).get(KEY, {}).get('model')


@pytest.mark.parametrize(
    'text',
    [
        'model = open("{marker}", "w")',
        'model = dict(type=__import__("os").system("touch {marker}"))',
        'model = [open("{marker}", "w") for _ in [1]]',
        'model = dict(**open("{marker}", "w"))',
        'model = (lambda: open("{marker}", "w"))()',
        'dict = open\nmodel = dict("{marker}", "w")',
        'model = dict(x=f"{{open(\'{marker}\', chr(119))}}")',
        'import os\nos.system("touch {marker}")',
        'model.type = 3',
        'model = 3 ** 3 ** 30',
        'model = -"a"',
        'model = (',
        'model = dict(a={b})',
        'model = ' + '[' * 5000 + ']' * 5000,
        'model = ' + '-' * 100_000 + '1',
        'model = 1\0',
        'x = ' + '1' * 1_000_001,
        3,
        b'model = 1',
    ],
)
def test_anything_but_values_is_refused_and_not_run(text, tmp_path):
    marker = tmp_path / 'run'
    if isinstance(text, str):
        text = text.replace('{marker}', str(marker))
        text = text.replace('{{', '{').replace('}}', '}')
    try:
        found = read(cfg=text)
    except CheckpointError as error:
        assert 'must not choose what is run' in str(error)
    else:
        assert found.model is None
    assert not marker.exists()


EVIL = [
    *(dict(type=kind) for kind in ('os.system', 'builtins.exec', 'NoSuchModel')),
    *(dict(type=kind) for kind in ('mmpose.ResNet', 'mmpose.apis.init_model')),
    dict(type='DWPoseDistiller', teacher_cfg='settings.py', student_cfg='settings.py'),
    dict(type='TopdownPoseEstimator'),
    dict(type='CAPE', _scope_='evil'),
    dict(type='CAPE', _scope_=''),
    dict(type='ResNet', init_cfg=dict(type='Pretrained', checkpoint='weights')),
    dict(type='LoadInstanceImage', backend_args=dict(backend='lmdb', db_path='x')),
    dict(type='ResNet', plugins=[((dict(cfg=dict(type='os.system')),),)]),
    dict(type='ResNet', depth=18, style=dict(db_path='weights')),
    dict(type='CAPE', metainfo=dict(from_file='settings')),
    dict(type='CAPE', metainfo='settings.py'),
    dict(type='TimmBackbone', name='hf_hub:someone/model'),
    dict(type='TimmBackbone', name='vit_tiny', checkpoint_path='weights'),
    dict(type='TimmBackbone', name='vit_tiny', pretrained=True),
    dict(type='ResNet', depth=18, style='../weights'),
    dict(type='FPN', norm_cfg=dict(type='torch.load')),
    dict(type=['CAPE']),
    dict(a=print),
]


@pytest.mark.parametrize('part', EVIL)
def test_only_listed_parts_and_no_files(part):
    model = make_config().model.to_dict()
    good = [dict(type='InstanceCrop')]
    for config in (
        dict(model=part, pipeline=good),
        dict(model=model | dict(neck=[dict(a=(part,))]), pipeline=good),
        dict(model=model, pipeline=[part]),
    ):
        with pytest.raises(CheckpointError, match='must not choose what is run'):
            read(**{KEY: config})


def nested(depth: int) -> dict:
    part = {}
    for _ in range(depth):
        part = dict(a=part)
    return dict(model=part, pipeline=[])


@pytest.mark.parametrize(
    'stored', [3, [1], dict(model=None), 'model = 1', nested(990), nested(5000)]
)
def test_odd_data(stored):
    with pytest.raises(CheckpointError, match='must not choose what is run'):
        read(**{KEY: stored})


@pytest.mark.parametrize('scope', ['evil', 'this'])
def test_no_module_is_imported_by_a_stored_scope(checkpoint_like, scope, tmp_path):
    package = tmp_path / 'evil/__init__.py'
    package.parent.mkdir()
    package.write_text(f'open({str(tmp_path / "run")!r}, "w")')
    outer = make_config().pretty_text.replace(
        "default_scope = 'mmpose'", f'default_scope = {scope!r}'
    )
    CapeInferencer(checkpoint=checkpoint_like(cfg=outer), device='cpu')
    inner = make_config()
    inner.model._scope_ = scope
    with pytest.raises(CheckpointError, match='_scope_'):
        CapeInferencer(checkpoint=checkpoint_like(cfg=inner.pretty_text), device='cpu')
    assert not (tmp_path / 'run').exists()


def test_weights_that_the_config_names_are_not_fetched(checkpoint_like):
    cfg = make_config()
    missing = dict(type='Pretrained', checkpoint='https://nowhere.invalid/x.pth')
    cfg.model.backbone.init_cfg = missing
    for meta in (dict(cfg=cfg.pretty_text), stored(cfg)):
        CapeInferencer(checkpoint=checkpoint_like(**meta), device='cpu')


@pytest.fixture
def checkpoint_like(tmp_path, monkeypatch):
    """Writes a checkpoint with other meta data, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write(**meta) -> Path:
        content = torch.load(write_checkpoint(tmp_path / 'a.pth'), weights_only=True)
        torch.save(content | dict(meta=meta), tmp_path / 'b.pth')
        return tmp_path / 'b.pth'

    return write
