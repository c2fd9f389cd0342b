"""A tiny checkpoint, inferencers made of it, and a small run."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from predict_cases import (
    marked,
    write_checkpoint,
    write_pictures,
    write_support,
    write_video,
)

from cape_mm.inference import CapeInferencer, PredictRequest, prediction_run

PICTURES = [f'frame {n}.png' for n in range(5)] + ['z/ünï.jpg', 'z/y.bmp']


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory) -> Path:
    """Random weights with the config's text."""
    return write_checkpoint(tmp_path_factory.mktemp('checkpoint') / 'epoch_1.pth')


@pytest.fixture(scope='session')
def shared_inferencer(checkpoint) -> CapeInferencer:
    """Set no support on this one."""
    return marked(CapeInferencer(checkpoint=checkpoint, device='cpu'))


@pytest.fixture
def inferencer(shared_inferencer) -> CapeInferencer:
    """With one marked picture of four keypoints."""
    return marked(shared_inferencer)


@pytest.fixture(scope='session')
def queries(tmp_path_factory) -> Path:
    """Seven pictures, and a clip of 7 frames between them."""
    folder = tmp_path_factory.mktemp('queries')
    write_pictures(folder, PICTURES)
    write_video(folder / 'mid clip.mp4', 7)
    return folder


@functools.lru_cache(maxsize=8)
def make_inferencer(checkpoint: Path, options: str) -> CapeInferencer:
    """Built once for all tests: this takes longer than the predictions."""
    return CapeInferencer(None, checkpoint, 'cpu', json.loads(options))


@pytest.fixture
def request_(checkpoint, queries, tmp_path, monkeypatch) -> PredictRequest:
    """One shot, batches of two."""

    def build(config, checkpoint, device, cfg_options):
        return make_inferencer(checkpoint, json.dumps(cfg_options))

    monkeypatch.setattr(prediction_run, 'CapeInferencer', build)
    return PredictRequest(
        checkpoint=checkpoint,
        support=write_support(tmp_path / 'support'),
        queries=[queries],
        out=tmp_path / 'out',
        batch_size=2,
        every=2,
        device='cpu',
        overlay=False,
    )
