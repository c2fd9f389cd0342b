"""MMEngine's readers of checkpoints and YAML run no code."""

from __future__ import annotations

import mmengine
import pytest
import torch
import yaml
from mmengine.runner import CheckpointLoader

from cape_mm.compat import mmengine_loading


def test_yaml_builds_plain_values_only(tmp_path):
    path, made = tmp_path / 'a.yaml', tmp_path / 'made'
    path.write_text(f'x: !!python/object/apply:os.mkdir ["{made}"]\n')
    with pytest.raises(yaml.constructor.ConstructorError):
        mmengine.load(path)
    assert not made.exists()
    path.write_text('a: [1, 2.5, text]\n')
    assert mmengine.load(path) == dict(a=[1, 2.5, 'text'])


def test_download_is_kept_and_read_again(tmp_path, monkeypatch):
    calls = []

    def download(url, path, prefix, progress):
        calls.append((url, prefix))
        torch.save(dict(state_dict={'w': torch.ones(2)}), path)

    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    url = 'https://example.org/models/resnet50-0676ba61.pth'
    for _ in range(2):
        content = CheckpointLoader.load_checkpoint(url, map_location='cpu')
        assert torch.equal(content['state_dict']['w'], torch.ones(2))
    assert calls == [(url, None)]
    assert (tmp_path / 'hub/checkpoints/resnet50-0676ba61.pth').is_file()
    mmengine_loading.load_url(url, str(tmp_path / 'other'), check_hash=True)
    assert calls[1:] == [(url, '0676ba61')]


@pytest.mark.parametrize('name', ['../../up.pth', '/etc/up.pth'])
def test_download_stays_in_its_folder(tmp_path, monkeypatch, name):
    def download(url, path, prefix, progress):
        torch.save(dict(w=torch.ones(1)), path)

    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    folder = tmp_path / 'a/b'
    mmengine_loading.load_url('https://example.org/x', str(folder), file_name=name)
    assert [p.name for p in folder.iterdir()] == ['up.pth']
