"""How launched processes meet; what two of them do is tested in tests/distributed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as torch_dist
from mmengine.config import Config

from cape_mm.apis import launching
from cape_mm.apis.launching import (
    SOURCES,
    LostProcessError,
    check_gpu_share,
    check_same_data,
    describe_files,
    explain_lost_process,
    join_processes,
)
from cape_mm.errors import ConfigError, MissingDataError, TrainingDivergedError

without_gpu = pytest.mark.skipif(
    torch.cuda.is_available(), reason='tests the road without a GPU'
)
PEER = '[/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1\nmore'


@pytest.fixture
def environment(monkeypatch):
    """Sets variables and takes all others of the launchers away."""

    def set_variables(**variables: str | int) -> None:
        names = {name for source in SOURCES.values() for name in source.values()}
        for name in names | {'MASTER_ADDR', 'MASTER_PORT'}:
            # set first: what is absent and only deleted would not be taken back
            monkeypatch.setenv(name, '')
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    set_variables()
    return set_variables


@pytest.mark.parametrize('launcher', SOURCES)
def test_a_launcher_that_launched_nothing(environment, launcher):
    with pytest.raises(ConfigError, match=f'launcher {launcher}: .* not set'):
        join_processes(Config(dict(launcher=launcher)))
    assert not torch_dist.is_initialized()


def test_no_launcher_joins_nothing(environment):
    environment(RANK=0, WORLD_SIZE=2)
    cfg = Config(dict(launcher='none'))
    join_processes(cfg)
    assert not torch_dist.is_initialized()
    assert cfg.to_dict() == dict(launcher='none')


def test_more_processes_than_gpus():
    check_gpu_share(1, num_gpus=2)
    with pytest.raises(ConfigError, match='process 2 .* no GPU: 2 are visible'):
        check_gpu_share(2, num_gpus=2)


class Files(list):
    """A data set of two categories, as far as its files are looked at."""

    categories = 'ab'

    def __init__(self, path, num_missing_images=0, num_instances=7, text='null'):
        path.write_text(text)
        self.num_missing_images, self.num_instances = num_missing_images, num_instances
        self.ann_files = [path]


@pytest.mark.parametrize(
    ('stages', 'changed', 'found'),
    [
        (('train', 'val'), {}, None),
        (('train',), {'num_missing_images': 3}, '.* 3 image files missing'),
        (('train', 'val'), {'num_instances': 6}, '2 categories, 6 usable instances'),
        (('test',), {'text': '{}'}, '.* 44136fa355b3, and rank 0 .* 74234e98afe7'),
    ],
    ids=['equal', 'images', 'instances', 'annotations'],
)
def test_ranks_with_other_data(stages, changed, found, tmp_path, monkeypatch):
    """Rank 2 of three has what is ``changed``."""
    own, other = Files(tmp_path / 'own'), Files(tmp_path / 'other', **changed)

    def gathered(files):
        return [files, files, [describe_files(other)] * len(files)]

    monkeypatch.setattr(launching, 'get_world_size', lambda: 3)
    monkeypatch.setattr(launching, 'all_gather_object', gathered)
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=own))
    runner = SimpleNamespace(train_loop=loop, val_loop=None, test_loop=loop)
    if found is None:
        check_same_data(runner, *stages)
        return
    with pytest.raises(MissingDataError, match=f'rank 2 has other data .* 0: {found}'):
        check_same_data(runner, *stages)


@without_gpu
def test_slurm_needs_gpus(environment):
    environment(SLURM_PROCID=0, SLURM_NTASKS=1)
    with pytest.raises(ConfigError, match='launcher slurm needs GPUs'):
        join_processes(Config(dict(launcher='slurm')))
    assert not torch_dist.is_initialized()


def test_a_lost_process_is_explained(environment):
    environment(RANK=0)
    lost = pytest.raises(LostProcessError, match='lost each other')
    with lost as caught, explain_lost_process():
        raise RuntimeError(PEER)
    assert str(caught.value).endswith('Connection closed by peer [127.0.0.1]:1)')
    assert '--resume' in str(caught.value)


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('Expected to have finished reduction in the prior iteration'),
        RuntimeError('DataLoader timed out after 3 seconds'),
        TrainingDivergedError('NCCL is in this text'),
        ValueError(PEER),
    ],
)
def test_other_errors_stay_themselves(environment, error):
    environment(RANK=0)
    with pytest.raises(type(error)) as caught, explain_lost_process():
        raise error
    assert caught.value is error


def test_a_single_process_has_none_to_lose(environment):
    unchanged = pytest.raises(RuntimeError, match='pair.cc:553')
    with unchanged as caught, explain_lost_process():
        raise RuntimeError(PEER)
    assert not isinstance(caught.value, LostProcessError)
