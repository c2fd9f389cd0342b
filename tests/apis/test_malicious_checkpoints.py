"""No way in executes a checkpoint that would run code."""

from __future__ import annotations

import functools
import http.server
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from malicious_checkpoints import SAVED, WRITTEN, write_all
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmpose.models.backbones.utils import load_checkpoint as load_backbone
from torch import nn

from cape_mm.apis import test as run_test
from cape_mm.apis import train
from cape_mm.compat.checkpoint import read_checkpoint
from cape_mm.compat.checkpoint_file import load_file
from cape_mm.errors import CheckpointError, UnsafeCheckpointError
from cape_mm.models.backbones.timm_weights import read_weights

HARMLESS = 'as_config'
"""Its weights and values are read; the code beside them is not."""
NOT_BY_UNPICKLING = {HARMLESS, 'torchscript', 'as_default_factory', 'archive_of_arrays'}
"""Run by MMEngine's resume, by a TorchScript program, for a missing key, by NumPy."""
FEW = (
    HARMLESS,
    'in_meta',
    'in_state_dict',
    'tampered_zip',
    'old_format',
    'torchscript',
)
"""For what takes long: one of each sort."""


@pytest.fixture
def canary(tmp_path) -> Path:
    return tmp_path / 'canary'


@pytest.fixture
def files(canary, tmp_path) -> dict[str, Path]:
    """All kinds by name."""
    folder = tmp_path / 'downloads'
    folder.mkdir()
    return write_all(folder, honest_checkpoint(), canary)


@pytest.fixture
def few(files) -> dict[str, Path]:
    """One of each sort by name."""
    return {name: files[name] for name in FEW}


def honest_checkpoint() -> dict:
    """Of the toy, after its first epoch."""
    model, hub = toy_model(), MessageHub('honest')
    hub.update_scalar('train/loss', 0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return dict(
        meta=dict(epoch=1, iter=10, seed=0, experiment_name='toy'),
        state_dict=model.state_dict(),
        optimizer=optimizer.state_dict(),
        message_hub=hub.state_dict(),
    )


def expect_refused(
    files: dict[str, Path], canary: Path, load: Callable[[Path], object]
) -> None:
    for name, path in files.items():
        if name == HARMLESS:
            load(path)
        else:
            with pytest.raises(CheckpointError, match=path.name):
                load(path)
                pytest.fail(f'{name} was loaded')
        assert not canary.exists(), f'{name} was executed'


def test_the_payloads_work_where_nothing_stops_them(files, canary):
    assert len(files) == len(SAVED) + len(WRITTEN) == 18
    worked = set()
    for name, path in files.items():
        with suppress(RuntimeError, EOFError, pickle.UnpicklingError):
            torch.load(path, weights_only=False)
        if canary.exists():
            worked.add(name)
            canary.unlink()
    assert worked == set(files) - NOT_BY_UNPICKLING


def test_readers_of_the_package(files, canary):
    expect_refused(files, canary, load_file)
    expect_refused(files, canary, read_checkpoint)
    expect_refused(files, canary, read_weights_of)


def toy_model() -> nn.Module:
    model = nn.Module()
    model.linear = nn.Linear(3, 4)
    return model


def read_weights_of(path: Path) -> object:
    return read_weights(str(path))


def test_readers_of_mmengine_and_mmpose(files, canary):
    for load in (
        lambda p: CheckpointLoader.load_checkpoint(str(p), 'cpu'),
        lambda p: load_checkpoint(toy_model(), str(p)),
        lambda p: load_backbone(toy_model(), str(p), map_location='cpu'),
        lambda p: Pretrained(str(p)).init_weights(),
    ):
        expect_refused(files, canary, load)


class Pretrained(BaseModule):
    def __init__(self, path: str) -> None:
        super().__init__(dict(type='Pretrained', checkpoint=path))
        self.linear = nn.Linear(3, 4)


def test_download(files, canary, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    quiet = type(
        'Quiet', (http.server.SimpleHTTPRequestHandler,), {'log_message': lambda *a: 0}
    )
    folder = str(next(iter(files.values())).parent)
    handler = functools.partial(quiet, directory=folder)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.server_port}'
        expect_refused(
            files,
            canary,
            lambda p: CheckpointLoader.load_checkpoint(f'{address}/{p.name}', 'cpu'),
        )
        server.shutdown()
    assert (tmp_path / 'torch/hub/checkpoints/in_meta.pth').is_file()


def test_test_tool(few, canary, toy_config, tmp_path):
    expect_refused(few, canary, lambda p: run_test(toy_config, p, tmp_path / 'test'))


def test_start_from_weights(few, canary, toy_config, tmp_path):
    options = {'train_cfg.max_epochs': 1}
    expect_refused(
        few,
        canary,
        lambda p: train(
            toy_config,
            tmp_path / 'tuned',
            no_validate=True,
            cfg_options={**options, 'load_from': str(p)},
        ),
    )


def test_resume_from_a_path(few, canary, toy_config, tmp_path):
    expect_refused(
        few,
        canary,
        lambda p: train(toy_config, tmp_path / 'resumed', p, no_validate=True),
    )


def test_resume_from_the_last(few, canary, toy_config, tmp_path):
    work_dir = tmp_path / 'run'
    work_dir.mkdir()

    def resume(path: Path) -> None:
        for honest in work_dir.glob('epoch_*.pth'):
            honest.unlink()
        (work_dir / 'last_checkpoint').write_text(str(path))
        train(toy_config, work_dir, 'auto', no_validate=True)

    expect_refused(few, canary, resume)


def test_resume_by_a_runner_of_mmengine(few, canary, toy_config, tmp_path):
    def resume(path: Path) -> None:
        cfg = Config.fromfile(toy_config)
        cfg.merge_from_dict(dict(load_from=str(path), resume=True))
        cfg.work_dir = str(tmp_path / 'stock')
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        Runner.from_cfg(cfg).train()

    expect_refused(few, canary, resume)


def test_trust_is_explicit_and_ends(files, canary, toy_config, tmp_path):
    path = files['in_meta']
    with pytest.raises(UnsafeCheckpointError, match='--trust-checkpoint'):
        run_test(toy_config, path, tmp_path / 'test')
    run_test(toy_config, path, tmp_path / 'test', trust_checkpoint=True)
    assert canary.exists()
    canary.unlink()
    with pytest.raises(UnsafeCheckpointError):
        read_checkpoint(path)
    resumed = tmp_path / 'resumed'
    train(toy_config, resumed, path, no_validate=True, trust_checkpoint=True)
    assert canary.exists()
    canary.unlink()
    with pytest.raises(UnsafeCheckpointError):
        read_checkpoint(path)
    assert not canary.exists()
