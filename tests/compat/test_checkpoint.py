"""A checkpoint is loaded completely, or the message says why not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cape_mm.compat.checkpoint import load_weights, read_checkpoint
from cape_mm.errors import CheckpointError


def make_model(width=3):
    return nn.Sequential(
        nn.Linear(2, width), nn.BatchNorm1d(width), nn.Linear(width, 1)
    )


def load(model, path, **options):
    """All weights of a file, or none; returns what the file says of itself."""
    checkpoint = read_checkpoint(path, **options)
    load_weights(model, checkpoint, path)
    return checkpoint.get('meta', {})


@pytest.fixture
def saved(tmp_path):
    model = make_model()
    path = tmp_path / 'epoch_3.pth'
    meta = dict(experiment_name='cape_tiny_20250101_120000', epoch=3)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return model, path


def test_weights_and_meta_arrive(saved):
    source, path = saved
    model = make_model()
    assert load(model, path)['epoch'] == 3
    for name, value in source.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)


def test_bare_and_distributed_state_dicts_are_understood(saved, tmp_path):
    source, _ = saved
    prefixed = {f'module.{k}': v for k, v in source.state_dict().items()}
    torch.save(prefixed, tmp_path / 'bare.pth')
    model = make_model()
    assert load(model, tmp_path / 'bare.pth') == {}
    assert torch.equal(model[0].weight, source[0].weight)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(
        CheckpointError, match='nope.pth: no such file. Expected a .pth'
    ):
        load(make_model(), tmp_path / 'nope.pth')
    with pytest.raises(CheckpointError, match='a folder'):
        load(make_model(), tmp_path)


def test_file_that_was_cut_short(saved):
    _, path = saved
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match='bytes.: damaged or cut short.*earlier'):
        load(make_model(), path)


def test_file_without_weights(tmp_path):
    torch.save(dict(epoch=3), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='holds no weights'):
        load(make_model(), tmp_path / 'x.pth')


def test_other_architecture_is_summarised_and_leaves_the_model_alone(saved):
    _, path = saved
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 7), *[nn.Linear(1, 1)] * 3)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load(model, path)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith('epoch_3.pth does not fit the model Sequential:')
    assert lines[1] == '  4 missing: 3.weight, 3.bias, 4.weight, and 1 more'
    assert lines[2] == (
        '  3 unexpected: 1.running_mean, 1.running_var, 1.num_batches_tracked'
    )
    assert lines[3] == (
        '  3 of another shape: 1.weight (3) instead of (7, 3), 1.bias (3) instead of '
        '(7), 2.weight (1, 3) instead of (1, 1)'
    )
    assert lines[4] == '  the checkpoint was trained with config: cape_tiny, epoch 3'
    assert 'Use the config that the checkpoint was trained with' in lines[5]
    assert all(torch.equal(model.state_dict()[k], v) for k, v in before.items())
