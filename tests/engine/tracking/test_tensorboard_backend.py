"""TensorBoard: written where it is installed, one message where it is not."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from mmpose.registry import VISBACKENDS

from cape_mm.engine.tracking import tensorboard_backend

KIND = 'OptionalTensorboardVisBackend'
TRAIN = dict(loss=1.5, time=0.1, epoch=1, iter=10)
VAL = {'PCK@0.2': 0.5, 'time': 7.0}


class FakeWriter:
    """Keeps what TensorBoard would get."""

    opened: list = []

    def __init__(self, log_dir: str) -> None:
        self.scalars: dict = {}
        self.is_closed = False
        self.opened.append(self)

    def add_scalar(self, tag, value, step):
        self.scalars[tag, step] = value

    def close(self):
        self.is_closed = True


@pytest.fixture
def writers(monkeypatch) -> list[FakeWriter]:
    """The writers that are opened, with TensorBoard installed."""
    FakeWriter.opened = []
    module = ModuleType('torch.utils.tensorboard')
    module.SummaryWriter = FakeWriter
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', module)
    monkeypatch.setattr(tensorboard_backend, 'find_spec', lambda name: object())
    return FakeWriter.opened


def test_stages_do_not_mix(writers, tmp_path):
    """Both have a time; one counts iterations, the other epochs."""
    backend = VISBACKENDS.build(dict(type=KIND, save_dir=str(tmp_path)))
    backend.add_scalars(TRAIN, step=10, file_path='x.json')
    backend.add_scalars(VAL, step=1)
    backend.add_scalars({'train/loss': 1.0, 'train/iter': 20}, step=20)
    backend.close()
    (writer,) = writers
    assert writer.is_closed
    assert writer.scalars == {
        ('train/loss', 10): 1.5,
        ('train/time', 10): 0.1,
        ('train/epoch', 10): 1,
        ('train/iter', 10): 10,
        ('val/PCK@0.2', 1): 0.5,
        ('val/time', 1): 7.0,
        ('train/loss', 20): 1.0,
        ('train/iter', 20): 20,
    }


def test_a_test_leaves_no_file(writers, tmp_path):
    backend = VISBACKENDS.build(dict(type=KIND, save_dir=str(tmp_path / 'new')))
    backend.add_config(object())
    backend.close()
    assert not writers
    assert not (tmp_path / 'new').exists()


def test_not_installed_is_one_message(monkeypatch, log_records, tmp_path):
    monkeypatch.setattr(tensorboard_backend, 'find_spec', lambda name: None)
    backend = VISBACKENDS.build(dict(type=KIND, save_dir=str(tmp_path / 'new')))
    backend.add_config(object())
    backend.add_scalars(TRAIN, step=10)
    backend.add_scalars(VAL, step=1)
    backend.add_image('x', None)
    backend.close()
    messages = [record.getMessage() for record in log_records]
    assert len([text for text in messages if 'pip install tensorboard' in text]) == 1
    assert not (tmp_path / 'new').exists()


def test_a_real_event_file(tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    backend = VISBACKENDS.build(dict(type=KIND, save_dir=str(tmp_path)))
    backend.add_scalars(TRAIN, step=10)
    backend.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (event,) = events.Scalars('train/loss')
    assert (event.step, event.value) == (10, 1.5)
