"""Checkpoint files: read without running code, checked against their checksums."""

from __future__ import annotations

import io
import os
import pickle

import pytest
import torch
from malicious_checkpoints import write_tar, write_torchscript

from cape_mm.compat.checkpoint_file import (
    check_integrity,
    load_file,
    trusting,
)
from cape_mm.errors import CheckpointError, UnsafeCheckpointError


class Payload:
    """Pickles as a call that makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def save(content, path, is_zip=True):
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return path


@pytest.mark.parametrize('is_zip', [True, False])
def test_file_and_stream_and_device(tmp_path, is_zip):
    path = save(dict(w=torch.ones(2), epoch=3), tmp_path / 'a.pth', is_zip)
    for source in (path, str(path), io.BytesIO(path.read_bytes())):
        content = load_file(source, torch.device('cpu'))
        assert content['epoch'] == 3 and torch.equal(content['w'], torch.ones(2))


def test_configuration_that_mmengine_would_run_is_left_out(tmp_path):
    meta = dict(epoch=3, config='raise SystemExit', cfg='a = 1')
    path = save(dict(meta=meta, state_dict={}), tmp_path / 'a.pth')
    assert load_file(path) == dict(meta=dict(epoch=3, cfg='a = 1'), state_dict={})
    assert load_file(path, trust=True)['meta'] == meta


def test_meta_that_is_no_dict(tmp_path):
    path = save(dict(meta=['config', 'epoch']), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='a.pth.*"meta" is a list'):
        load_file(path)


def test_trust_covers_what_is_inside(tmp_path):
    path, made = save(dict(x=Payload(tmp_path / 'made')), tmp_path / 'a.pth'), []
    with pytest.raises(UnsafeCheckpointError):
        load_file(path)
    with trusting(False), pytest.raises(UnsafeCheckpointError):
        load_file(path)
    assert not (tmp_path / 'made').exists()
    with trusting(), pytest.raises(UnsafeCheckpointError):
        load_file(path, trust=False)
    with trusting():
        load_file(path)
    assert (tmp_path / 'made').is_dir(), made
    with pytest.raises(UnsafeCheckpointError):
        load_file(path)


@pytest.mark.parametrize(
    ('write', 'kind'), [(write_tar, 'tar archive'), (write_torchscript, 'TorchScript')]
)
def test_archives_are_refused_before_torch_opens_them(
    tmp_path, monkeypatch, write, kind
):
    path = tmp_path / 'a.pth'
    write(path, dict(state_dict={}), 'true')
    monkeypatch.setattr(torch, 'load', None)
    for source in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(UnsafeCheckpointError, match=kind):
            load_file(source)


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'\x80\x02garbage', b'x' * 99])
def test_garbage(tmp_path, content):
    path = tmp_path / 'a.pth'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match='a.pth.*(damaged|no checkpoint)'):
        load_file(path)


def test_every_cut_of_a_checkpoint_is_refused(tmp_path):
    whole = save(dict(state_dict={'w': torch.arange(50.0)}), tmp_path / 'a.pth')
    content, path = whole.read_bytes(), tmp_path / 'cut.pth'
    for length in range(0, len(content) - 1, 61):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            load_file(path)


def test_integrity(tmp_path):
    path = save(dict(w=torch.arange(1000.0)), tmp_path / 'a.pth')
    check_integrity(path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(9.0, 15.0).numpy().tobytes())] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match='checksum of .*data/0 is wrong'):
        check_integrity(path)
    check_integrity(save(dict(w=torch.ones(1)), path, is_zip=False))  # has none


def test_unpickler_of_a_storage_takes_known_ones_only(tmp_path):
    """``torch.x.y.SomethingStorage`` was once any attribute of that ending."""
    from cape_mm.compat import safe_pickle

    data = b'\x80\x04\x8c\x05torch\x8c\x1eserialization.normalizeStorage\x93.'
    with pytest.raises(pickle.UnpicklingError, match='is not allowed'):
        safe_pickle.load(io.BytesIO(data))
