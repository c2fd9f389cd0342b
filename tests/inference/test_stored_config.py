"""Configs inside checkpoints: read back as they were, and never run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from predict_cases import make_config

from cape_mm.errors import CheckpointError
from cape_mm.inference import CapeInferencer
from cape_mm.inference.stored_config import (
    check_stored_config,
    check_types,
    parse_config_text,
)

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    'name', sorted(str(p.relative_to(REPO)) for p in (REPO / 'configs').glob('*.py'))
)
def test_every_config_is_read_back_as_it_was(name):
    cfg = Config.fromfile(REPO / name)
    parsed = parse_config_text(cfg.pretty_text, 'test')
    assert parsed.to_dict() == cfg.to_dict()
    check_stored_config(parsed, 'test')


def test_values_of_all_kinds():
    values = dict(
        none=None,
        numbers=[-1, -2.5, 1e-9, float('inf'), -float('inf')],
        nested={'key with blank': {1: (2, 3)}, 'set': {4, 5}},
        string='it\'s "quoted"\n\u00fc',
        empty=dict(a=(), b=[], c={}),
    )
    parsed = parse_config_text(Config(values).pretty_text, 'test').to_dict()
    assert parsed == Config(values).to_dict()


@pytest.mark.parametrize(
    'text',
    [
        'import os\nos.system("touch {marker}")',
        'model = open("{marker}", "w")',
        'model = dict(type=__import__("os").system("touch {marker}"))',
        'model = [open("{marker}", "w") for _ in [1]]',
        'model = dict(**open("{marker}", "w"))',
        'model = (lambda: open("{marker}", "w"))()',
        'dict = open\nmodel = dict("{marker}", "w")',
        'model = dict(x=f"{{open(\'{marker}\', chr(119))}}")',
        '__builtins__ = 3',
        'model.type = 3',
        'a = b = 3',
        'model = 3 ** 3 ** 30',
        'model = -"a"',
        'model = (',
        'filename = "MMEngine keeps this name for itself"',
        'model = dict(a={b})',
        'x = ' + '[' * 5000 + ']' * 5000,
        'x = ' + '-' * 100_000 + '1',
        'x = 1\0',
        'x = ' + '1' * 1_000_001,
    ],
)
def test_anything_but_values_is_refused_and_not_run(text, tmp_path):
    marker = tmp_path / 'run'
    text = text.replace('{marker}', str(marker)).replace('{{', '{').replace('}}', '}')
    with pytest.raises(CheckpointError, match='config'):
        parse_config_text(text, 'checkpoint x.pth')
    assert not marker.exists()


@pytest.mark.parametrize(
    'kind',
    [
        'os.system',
        'subprocess.call',
        'mmengine.dump',
        'mmpose.apis.init_model',
        'builtins.exec',
        'torch.load',
        'NoSuchModel',
    ],
)
def test_only_registered_classes_are_built(kind, tmp_path):
    marker = tmp_path / 'run'
    part = dict(type=kind, command=f'touch {marker}')
    for model in (part, dict(type='CAPE', neck=[dict(a=part)])):
        with pytest.raises(CheckpointError, match=f"names '{kind}', which is not"):
            check_types(model, MODELS, 'checkpoint x.pth')
    cfg = make_config()
    cfg.model.head = part
    path = tmp_path / 'evil.pth'
    weights = dict(a=torch.zeros(1))
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=weights), path)
    with pytest.raises(CheckpointError, match='not registered'):
        CapeInferencer(checkpoint=path, device='cpu')
    assert not marker.exists()


def test_classes_of_pipelines_are_checked_too():
    cfg = make_config()
    cfg.test_dataloader.dataset.pipeline[1].type = 'shutil.rmtree'
    with pytest.raises(CheckpointError, match='shutil.rmtree'):
        check_stored_config(cfg, 'x')


def test_scopes_of_registered_classes_are_understood():
    check_types(dict(type='mmpose.ResNet'), MODELS, 'x')
    check_types(dict(type='mmengine.BaseDataPreprocessor'), MODELS, 'x')


def test_weights_that_the_config_names_are_not_fetched(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    cfg = make_config()
    missing = dict(type='Pretrained', checkpoint='https://nowhere.invalid/x.pth')
    cfg.model.backbone.init_cfg = missing
    content['meta']['cfg'] = cfg.pretty_text
    path = tmp_path / 'pretrained.pth'
    torch.save(content, path)
    CapeInferencer(checkpoint=path, device='cpu')


def test_pickles_that_run_code_are_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'run'),)

    path = tmp_path / 'evil.pth'
    torch.save(dict(state_dict=dict(a=torch.zeros(1)), meta=Evil()), path)
    with pytest.raises(CheckpointError):
        CapeInferencer(checkpoint=path)
    assert not (tmp_path / 'run').exists()
