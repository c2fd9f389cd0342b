"""Reading checkpoints by our unpickler, for an old torch, and by torch's own."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from cape_mm.compat import safe_pickle


def by_ours(path):
    return torch.load(path, weights_only=False, pickle_module=safe_pickle)


def by_torch(path):
    return torch.load(path, weights_only=True)


READERS = [by_ours, by_torch] if safe_pickle.HAS_ALLOW_LIST else [by_ours]
every_reader = pytest.mark.parametrize('load', READERS)


class Payload:
    """Pickles as the call ``function(*args)``."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@every_reader
@pytest.mark.parametrize('is_zip', [True, False])
def test_checkpoint_of_mmengine_loads(tmp_path, is_zip, load):
    hub = MessageHub('safe-pickle-test')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('best', np.float64(0.25))
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    sigmas = np.array([0.1, 0.2], np.float32)
    checkpoint = dict(
        state_dict=OrderedDict(model.state_dict()),
        half=torch.ones(2, dtype=torch.bfloat16),
        optimizer=optimizer.state_dict(),
        message_hub=hub.state_dict(),
        meta=dict(sigmas=sigmas, seed=np.int64(3), names=np.array(['nose'])),
    )
    path = tmp_path / 'epoch_1.pth'
    torch.save(checkpoint, path, _use_new_zipfile_serialization=is_zip)
    loaded = load(path)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded['state_dict'][name], value)
    assert torch.equal(loaded['half'], checkpoint['half'])
    momentum = loaded['optimizer']['state'][0]['exp_avg']
    assert torch.equal(momentum, optimizer.state_dict()['state'][0]['exp_avg'])
    buffer = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(buffer, HistoryBuffer) and buffer.mean() == 0.5
    np.testing.assert_array_equal(loaded['meta']['sigmas'], sigmas)
    assert loaded['message_hub']['runtime_info']['best'] == np.float64(0.25)
    assert loaded['meta']['seed'] == 3
    assert loaded['meta']['names'].tolist() == ['nose']


@every_reader
@pytest.mark.parametrize('is_zip', [True, False])
@pytest.mark.parametrize('function', [os.system, eval, exec, torch.hub.load])
def test_a_crafted_one_is_refused_and_runs_nothing(tmp_path, function, is_zip, load):
    target = tmp_path / 'written'
    payload = Payload(function, f'touch {target}')
    path = tmp_path / 'bad.pth'
    state = dict(state_dict={}, meta=payload)
    torch.save(state, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(pickle.UnpicklingError):
        load(path)
    assert not target.exists()


@every_reader
@pytest.mark.parametrize('args', [(HistoryBuffer, '__init__'), (np.ndarray, 'tofile')])
def test_getattr_reaches_statistics_only(tmp_path, args, load):
    torch.save(Payload(getattr, *args), tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError, match='statistics'):
        load(tmp_path / 'bad.pth')
